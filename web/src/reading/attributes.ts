/** DICOM attributes, read with suspicion: what a header says may be absent, of the wrong kind, or hostile. */

import type { DataSet, Element } from "dicom-parser";

import { codedTerm, presentable, type Terms } from "./defined_terms";
import { fault } from "./faults";
import { general } from "./radiograph";

const NAMES = {
  SpecificCharacterSet: ["x00080005", "Specific Character Set"],
  Modality: ["x00080060", "Modality"],
  PresentationIntentType: ["x00080068", "Presentation Intent Type"],
  CodeValue: ["x00080100", "Code Value"],
  CodingSchemeDesignator: ["x00080102", "Coding Scheme Designator"],
  CodeMeaning: ["x00080104", "Code Meaning"],
  LongCodeValue: ["x00080119", "Long Code Value"],
  StudyDescription: ["x00081030", "Study Description"],
  SeriesDescription: ["x0008103e", "Series Description"],
  AnatomicRegionSequence: ["x00082218", "Anatomic Region Sequence"],
  BodyPartExamined: ["x00180015", "Body Part Examined"],
  ProtocolName: ["x00181030", "Protocol Name"],
  EstimatedRadiographicMagnificationFactor: ["x00181114", "Estimated Radiographic Magnification Factor"],
  ImagerPixelSpacing: ["x00181164", "Imager Pixel Spacing"],
  AcquisitionDeviceProcessingDescription: ["x00181400", "Acquisition Device Processing Description"],
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
  PerformedProcedureStepDescription: ["x00400254", "Performed Procedure Step Description"],
  ViewCodeSequence: ["x00540220", "View Code Sequence"],
  PresentationLUTShape: ["x20500020", "Presentation LUT Shape"],
  FloatPixelData: ["x7fe00008", "Float Pixel Data"],
  DoubleFloatPixelData: ["x7fe00009", "Double Float Pixel Data"],
  PixelData: ["x7fe00010", "Pixel Data"],
} as const;

export type Keyword = keyof typeof NAMES;

const KEPT: readonly Keyword[] = [
  "Modality",
  "BodyPartExamined",
  "ViewPosition",
  "PhotometricInterpretation",
  "PresentationIntentType",
  "PatientOrientation",
  "BurnedInAnnotation",
  "AnatomicRegionSequence",
  "ViewCodeSequence",
];
/** Free text: only its known terms are kept; most have no such term. */
const DESCRIPTIONS: readonly Keyword[] = [
  "SeriesDescription",
  "ProtocolName",
  "AcquisitionDeviceProcessingDescription",
  "PerformedProcedureStepDescription",
  "StudyDescription",
];
const MOST_ITEMS = 4;
const LONGEST_TEXT = 256;
/** Representations of text; UN is text where the standard says so. */
const TEXTS = "AE AS CS DS IS LO LT PN SH ST UC UN UR UT".split(" ");

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

/** The attributes that a radiograph carries along, as `presentable` shows them, and a warning for each unknown one. */
export function keptTags(dataset: DataSet, terms: Terms, warnings: string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const keyword of [...KEPT, ...DESCRIPTIONS]) {
    const shown = presentable(keyword, text(dataset, keyword, terms), terms);
    if (shown === terms.unknown && DESCRIPTIONS.includes(keyword)) continue;
    if (shown === terms.unknown) warnings.push(`${label(keyword)} holds no known term; it says nothing about the image`);
    if (shown !== "") kept[keyword] = shown;
  }
  return kept;
}

/** The text of an attribute, several values joined by a backslash; of a sequence of codes what they mean. */
function text(dataset: DataSet, keyword: Keyword, terms: Terms): string {
  const found = element(dataset, keyword);
  if (found === undefined) return "";
  let parts: string[];
  if (found.items !== undefined) {
    const isUtf8 = dataset.string(NAMES.SpecificCharacterSet[0])?.trim() === "ISO_IR 192";
    parts = found.items.slice(0, MOST_ITEMS).map((item) => meaning(item.dataSet, isUtf8, terms));
  } else if (found.vr !== undefined && !TEXTS.includes(found.vr)) return "";
  else parts = (dataset.string(NAMES[keyword][0]) ?? "").split("\\");
  return parts.map((part) => part.trim()).join("\\").slice(0, LONGEST_TEXT);
}

/** The meaning of a code, by its value or else in words; letters of other character sets than these two are lost. */
function meaning(item: DataSet | undefined, isUtf8: boolean, terms: Terms): string {
  if (item === undefined) return "";
  const scheme = item.string(NAMES.CodingSchemeDesignator[0])?.trim() ?? "";
  for (const keyword of ["CodeValue", "LongCodeValue"] as const) {
    const known = codedTerm(item.string(NAMES[keyword][0])?.trim() ?? "", scheme, terms);
    if (known !== "") return known;
  }
  const found = element(item, "CodeMeaning");
  if (found === undefined) return "";
  const bytes = bytesOf(item).subarray(found.dataOffset, found.dataOffset + found.length);
  return new TextDecoder(isUtf8 ? "utf-8" : "latin1").decode(bytes).replace(/[\0 ]+$/, "");
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
