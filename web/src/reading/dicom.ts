/** DICOM files to radiographs: Modality LUT, then polarity; display settings become a tone curve. */

import dicomParser, { type DataSet } from "dicom-parser";
import { inflateSync } from "fflate";

import { code, element, integer, keptTags, label, numbers, spacing } from "./attributes";
import type { Codecs } from "./codecs";
import type { Terms } from "./defined_terms";
import { fault, LIMITS } from "./faults";
import { PIXEL_KEYWORDS, readFrame } from "./frame";
import { applyModality, findPadding, isInverted, isUneven } from "./greyscale";
import { findLevels, picture } from "./levels";
import { general, range, scale, type Radiograph, type Raster, type ToneCurve } from "./radiograph";
import { EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, SYNTAXES } from "./syntaxes";
import { findDisplay, invertedDisplay } from "./voi";

const DIRECTORY = "1.2.840.10008.1.3.10";
const COLOUR = /^(RGB|PALETTE COLOR|HSV|ARGB|CMYK|XYB|YBR_(FULL|FULL_422|PARTIAL_422|PARTIAL_420|ICT|RCT))$/;
const BURNED_IN = "Burned In Annotation (0028,0301) is YES: text is part of the picture";

/** Whether a file is DICOM: with its preamble, or beginning with an element of group 2 or 8. */
export function isDicom(bytes: Uint8Array): boolean {
  if (hasPreamble(bytes)) return true;
  if ((bytes[0] !== 2 && bytes[0] !== 8) || bytes[1] !== 0 || bytes[3] !== 0) return false;
  return isLetters(bytes, 4) || (bytes[6] === 0 && bytes[7] === 0);
}

/** The radiograph in a DICOM file. */
export async function readDicom(
  bytes: Uint8Array,
  name: string,
  digest: Promise<string | null>,
  terms: Terms,
  codecs: Codecs,
): Promise<Radiograph> {
  const warnings: string[] = [];
  const dataset = parse(bytes, name);
  refuseOtherObjects(dataset, name);
  const uid = (dataset.string("x00020010") ?? EXPLICIT_LITTLE_ENDIAN).trim();
  const stored = await readFrame(dataset, uid, name, codecs, warnings);
  const syntax = SYNTAXES[uid]?.name ?? "an unknown transfer syntax";
  const history = [`read DICOM, ${stored.width} x ${stored.height}, ${depth(dataset)}, ${syntax}`];
  const { pixels, toneCurve } = toGrey(stored, dataset, name, history, warnings);
  const spacingMm = spacing(dataset, history, warnings);
  const tags = keptTags(dataset, terms, warnings);
  if (tags["BurnedInAnnotation"]?.toUpperCase() === "YES") warnings.push(BURNED_IN);
  const { height, width } = stored;
  const sha256 = await digest;
  return { pixels, height, width, name, sha256, format: "DICOM", spacingMm, history, warnings, tags, toneCurve };
}

function toGrey(
  stored: Raster,
  dataset: DataSet,
  name: string,
  history: string[],
  warnings: string[],
): { pixels: Float32Array; toneCurve: ToneCurve } {
  const levels = findLevels(stored, isUneven(dataset));
  const padding = findPadding(levels, dataset, history, warnings);
  const grey = applyModality(levels.values, dataset, name, history);
  let display = findDisplay(grey, range(grey, padding), dataset, name, history, warnings);
  if (isInverted(dataset, warnings)) {
    display = invertedDisplay(display);
    history.push("inverted once for MONOCHROME1 (0028,0004)");
  }
  const shown = scale(name, display.grey, padding);
  const [low, high] = range(display.grey, padding);
  history.push(`scaled from ${general(low)}..${general(high)} to 0..255`);
  return { pixels: picture(levels, shown), toneCurve: display.curve };
}

function parse(bytes: Uint8Array, name: string): DataSet {
  let whole = bytes;
  const options: Record<string, unknown> = { inflater };
  if (!hasPreamble(bytes)) {
    if (bytes[0] === 2) {
      whole = new Uint8Array(bytes.length + 132);
      whole.set([0x44, 0x49, 0x43, 0x4d], 128);
      whole.set(bytes, 132);
    } else options["TransferSyntaxUID"] = isLetters(bytes, 4) ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN;
  }
  try {
    return dicomParser.parseDicom(whole, options);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (text.includes("0002,0010")) {
      const problem = "Transfer Syntax UID (0002,0010) is missing";
      throw fault("UNREADABLE", name, problem, "export the file again with its file meta information");
    }
    throw fault("UNREADABLE", name, "reading the DICOM header failed", "the file is damaged or of an unsupported kind");
  }
}

/** The file with its deflated part inflated, within the size that any file may have. */
function inflater(bytes: Uint8Array, position: number): Uint8Array {
  const inflated = inflateSync(bytes.subarray(position), { out: new Uint8Array(LIMITS.fileBytes / 4) });
  const whole = new Uint8Array(position + inflated.length);
  whole.set(bytes.subarray(0, position));
  whole.set(inflated, position);
  return whole;
}

/** Refuses what is DICOM but not one grey picture, before its pixels are looked at. */
function refuseOtherObjects(dataset: DataSet, name: string): void {
  if (dataset.string("x00020002")?.trim() === DIRECTORY || dataset.elements["x00041220"] !== undefined) {
    const problem = "the file is a DICOMDIR, an index of other files";
    throw fault("NO_PIXELS", name, problem, "give the image files themselves");
  }
  const found = PIXEL_KEYWORDS.map((each) => element(dataset, each)).find((each) => each !== undefined);
  if (found === undefined || found.length === 0) {
    throw fault("NO_PIXELS", name, "the DICOM file holds no pixel data", "it is truncated, or not an image");
  }
  const frames = integer(dataset, "NumberOfFrames", name, 1);
  if (frames > 1) throw fault("MULTI_FRAME", name, `the file holds ${frames} frames`, "give one image a file");
  const photometric = code(dataset, "PhotometricInterpretation").toUpperCase();
  const accepted = "a chest radiograph is MONOCHROME1 or MONOCHROME2";
  if (COLOUR.test(photometric)) {
    throw fault("COLOUR", name, `photometric interpretation is ${photometric}`, accepted);
  }
  if (photometric !== "MONOCHROME1" && photometric !== "MONOCHROME2") {
    throw fault("UNREADABLE", name, `${label("PhotometricInterpretation")} is missing or not known`, accepted);
  }
}

/** How the values are stored, for people. */
function depth(dataset: DataSet): string {
  if (element(dataset, "PixelData") === undefined) return "floating point";
  const sign = numbers(dataset, "PixelRepresentation")?.[0] === 1 ? "signed " : "";
  const photometric = code(dataset, "PhotometricInterpretation").toUpperCase();
  return `${numbers(dataset, "BitsStored")?.[0] ?? "?"}-bit ${sign}${photometric}`;
}

function hasPreamble(bytes: Uint8Array): boolean {
  return bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;
}

function isLetters(bytes: Uint8Array, at: number): boolean {
  return [bytes[at], bytes[at + 1]].every((one) => one >= 65 && one <= 90);
}
