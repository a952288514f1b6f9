/** DICOM attributes, read with suspicion: what a header says may be absent, of the wrong kind, or hostile. */

import type { DataSet, Element } from "dicom-parser";

import { fault } from "./faults";
import { general } from "./radiograph";

const NAMES = {
  Modality: ["x00080060", "Modality"],
  PresentationIntentType: ["x00080068", "Presentation Intent Type"],
  BodyPartExamined: ["x00180015", "Body Part Examined"],
  EstimatedRadiographicMagnificationFactor: ["x00181114", "Estimated Radiographic Magnification Factor"],
  ImagerPixelSpacing: ["x00181164", "Imager Pixel Spacing"],
  ViewPosition: ["x00185101", "View Position"],
  PatientOrientation: ["x00200020", "Patient Orientation"],
  SamplesPerPixel: ["x00280002", "Samples per Pixel"],
  PhotometricInterpretation: ["x00280004", "Photometric Interpretation"],
  NumberOfFrames: ["x00280008", "Number of Frames"],
  Rows: ["x00280010", "Rows"],
  Columns: ["x00280011", "Columns"],
  PixelSpacing: ["x00280030", "Pixel Spacing"],
  BitsAllocated: ["x00280100", "Bits Allocated"],
  BitsStored: ["x00280101", "Bits Stored"],
  HighBit: ["x00280102", "High Bit"],
  PixelRepresentation: ["x00280103", "Pixel Representation"],
  PixelPaddingValue: ["x00280120", "Pixel Padding Value"],
  PixelPaddingRangeLimit: ["x00280121", "Pixel Padding Range Limit"],
  BurnedInAnnotation: ["x00280301", "Burned In Annotation"],
  WindowCenter: ["x00281050", "Window Center"],
  WindowWidth: ["x00281051", "Window Width"],
  RescaleIntercept: ["x00281052", "Rescale Intercept"],
  RescaleSlope: ["x00281053", "Rescale Slope"],
  VOILUTFunction: ["x00281056", "VOI LUT Function"],
  ModalityLUTSequence: ["x00283000", "Modality LUT Sequence"],
  LUTDescriptor: ["x00283002", "LUT Descriptor"],
  LUTData: ["x00283006", "LUT Data"],
  VOILUTSequence: ["x00283010", "VOI LUT Sequence"],
  PresentationLUTShape: ["x20500020", "Presentation LUT Shape"],
  FloatPixelData: ["x7fe00008", "Float Pixel Data"],
  DoubleFloatPixelData: ["x7fe00009", "Double Float Pixel Data"],
  PixelData: ["x7fe00010", "Pixel Data"],
} as const;

export type Keyword = keyof typeof NAMES;

export const KEPT: readonly Keyword[] = [
  "Modality",
  "BodyPartExamined",
  "ViewPosition",
  "PhotometricInterpretation",
  "PresentationIntentType",
  "PatientOrientation",
  "BurnedInAnnotation",
];

/** The words that each kept attribute may hold, from `cxrnet.imaging.defined_terms`. */
export type Terms = Readonly<Record<string, readonly string[]>>;

/** What stands in the place of an unknown value. */
const UNKNOWN = "UNKNOWN TERM";
const ORIENTATION = /^[APHFLR]{1,3}$/;

const BINARY: ReadonlySet<Keyword> = new Set([
  "SamplesPerPixel",
  "Rows",
  "Columns",
  "BitsAllocated",
  "BitsStored",
  "HighBit",
  "PixelRepresentation",
  "PixelPaddingValue",
  "PixelPaddingRangeLimit",
]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const CODE_STRING = /^[A-Za-z0-9_ ]{1,16}$/;

/** The attribute as the standard names it, for example "Rescale Slope (0028,1053)". */
export function label(keyword: Keyword): string {
  const [tag, name] = NAMES[keyword];
  return `${name} (${tag.slice(1, 5)},${tag.slice(5)})`;
}

interface WithBytes {
  byteArray: Uint8Array<ArrayBuffer>;
}

/** The bytes of the file; the library's own type names one of Node.js. */
export function bytesOf(dataset: DataSet): Uint8Array<ArrayBuffer> {
  return (dataset as unknown as WithBytes).byteArray;
}

export function element(dataset: DataSet, keyword: Keyword): Element | undefined {
  return dataset.elements[NAMES[keyword][0]];
}

/** The values of a numeric attribute: [] where there are none, null where they are not finite numbers. */
export function numbers(dataset: DataSet, keyword: Keyword): number[] | null {
  const found = element(dataset, keyword);
  if (found === undefined || found.length === 0) return [];
  const tag = NAMES[keyword][0];
  if (BINARY.has(keyword)) {
    if (found.length < 2) return null;
    const isSigned = found.vr === "SS" || (found.vr !== "US" && dataset.uint16(NAMES.PixelRepresentation[0]) === 1);
    const read = keyword.startsWith("PixelPadding") && isSigned ? dataset.int16(tag) : dataset.uint16(tag);
    return read === undefined ? null : [read];
  }
  const parts = (dataset.string(tag) ?? "").split("\\").map((part) => part.trim());
  if (parts.every((part) => part === "")) return [];
  return parts.every((part) => NUMBER.test(part) && Number.isFinite(Number(part))) ? parts.map(Number) : null;
}

/** The only value of a numeric attribute, `otherwise` where it has none. */
export function number(dataset: DataSet, keyword: Keyword, name: string, otherwise: number): number {
  const values = numbers(dataset, keyword);
  if (values?.length === 0) return otherwise;
  if (values?.length !== 1) {
    throw fault("UNREADABLE", name, `${label(keyword)} is not a number`, "a single number is needed");
  }
  return values[0];
}

/** The only value of an integer attribute, `otherwise` where it has none and that is given. */
export function integer(dataset: DataSet, keyword: Keyword, name: string, otherwise?: number): number {
  const values = numbers(dataset, keyword);
  if (values?.length === 0 && otherwise !== undefined) return otherwise;
  if (values?.length !== 1 || !Number.isInteger(values[0])) {
    const problem = values?.length === 0 ? "is missing" : "is not a whole number";
    throw fault("UNREADABLE", name, `${label(keyword)} ${problem}`, "pixels cannot be read without it");
  }
  return values[0];
}

/** The first item of a sequence, null if absent. */
export function firstItem(dataset: DataSet, keyword: Keyword): DataSet | null {
  return element(dataset, keyword)?.items?.[0]?.dataSet ?? null;
}

/** The code string of an attribute, "" if absent; what is not a code string comes back as "?". */
export function code(dataset: DataSet, keyword: Keyword): string {
  const parts = (dataset.string(NAMES[keyword][0]) ?? "").split("\\").map((part) => part.trim());
  if (parts.every((part) => part === "")) return "";
  return parts.every((part) => CODE_STRING.test(part)) ? parts.join("\\") : "?";
}

/** The attributes that a radiograph carries along; a value that is no known term is left out, with a warning. */
export function keptTags(dataset: DataSet, terms: Terms, warnings: string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const keyword of KEPT) {
    const text = code(dataset, keyword);
    if (text === "?") warnings.push(`${label(keyword)} is not a code string and was left out`);
    else if (text !== "" && !isKnown(keyword, text, terms)) {
      warnings.push(`${label(keyword)} holds no known term, and what it holds was left out`);
      kept[keyword] = UNKNOWN;
    } else if (text !== "") kept[keyword] = text;
  }
  return kept;
}

function isKnown(keyword: Keyword, text: string, terms: Terms): boolean {
  const parts = text.split("\\").map((part) => part.trim().toUpperCase());
  const isWord = (part: string): boolean =>
    keyword === "PatientOrientation" ? ORIENTATION.test(part) : (terms[keyword] ?? []).includes(part);
  return parts.every((part) => part === "" || isWord(part));
}

/**
 * Distance between pixel centres in mm (row, column): Pixel Spacing, else Imager Pixel Spacing divided by the
 * magnification (PS3.3 10.7.1.3, C.8.7.10).
 */
export function spacing(dataset: DataSet, steps: string[], warnings: string[]): [number, number] | null {
  for (const keyword of ["PixelSpacing", "ImagerPixelSpacing"] as const) {
    const values = numbers(dataset, keyword);
    if (values?.length === 0) continue;
    if (values?.length !== 2 || Math.min(...values) <= 0) {
      const given = (values ?? []).map(general).join(" x ");
      warnings.push(`${label(keyword)} ${given === "" ? "" : `${given} mm `}is not usable and was ignored`);
      continue;
    }
    steps.push(`spacing ${general(values[0])} x ${general(values[1])} mm from ${label(keyword)}`);
    const factor = keyword === "ImagerPixelSpacing" ? magnification(dataset, steps, warnings) : 1;
    return [values[0] / factor, values[1] / factor];
  }
  return null;
}

function magnification(dataset: DataSet, steps: string[], warnings: string[]): number {
  const keyword = "EstimatedRadiographicMagnificationFactor";
  const values = numbers(dataset, keyword);
  if (values?.length === 0) return 1;
  if (values?.length !== 1 || values[0] <= 0) {
    warnings.push(`${label(keyword)} is not usable and was ignored`);
    return 1;
  }
  steps.push(`spacing divided by ${label(keyword)} ${general(values[0])}`);
  return values[0];
}
