/** Stored values to grey: Modality LUT, padding and polarity (PS3.3 C.11.1, C.7.5.1.1.2, C.7.6.3.1.2). */

import type { DataSet } from "dicom-parser";

import { bytesOf, code, element, firstItem, label, number, numbers } from "./attributes";
import { fault } from "./faults";
import { share, type Levels } from "./levels";
import { general, range } from "./radiograph";

/** Stored values to the units of the device (PS3.3 C.11.1). */
export function applyModality(values: Float64Array, dataset: DataSet, name: string, history: string[]): Float64Array {
  if (hasItems(dataset, "ModalityLUTSequence")) {
    history.push(`looked up in ${label("ModalityLUTSequence")}`);
    const [low, high] = range(values, null);
    const table = findTable(dataset, "ModalityLUTSequence", low, high, name);
    return values.map((value) => table.lookUp(value));
  }
  if (numbers(dataset, "RescaleSlope")?.length === 0 && numbers(dataset, "RescaleIntercept")?.length === 0) {
    return values;
  }
  const slope = number(dataset, "RescaleSlope", name, 1);
  const intercept = number(dataset, "RescaleIntercept", name, 0);
  if (slope === 0) throw fault("UNREADABLE", name, `${label("RescaleSlope")} is 0`, "the slope must not be 0");
  history.push(`rescaled by slope ${general(slope)} and intercept ${general(intercept)} (0028,1053)`);
  return values.map((value) => value * slope + intercept);
}

/** Whether small values are to be shown bright, decided by (0028,0004) alone; a shape that contradicts is reported. */
export function isInverted(dataset: DataSet, warnings: string[]): boolean {
  const inverted = code(dataset, "PhotometricInterpretation").toUpperCase() === "MONOCHROME1";
  const shape = code(dataset, "PresentationLUTShape").toUpperCase();
  if (shape !== "" && shape !== (inverted ? "INVERSE" : "IDENTITY")) {
    warnings.push(`${label("PresentationLUTShape")} contradicts (0028,0004), which was followed`);
  }
  return inverted;
}

/** Whether a larger stored value may be shown between two smaller ones, or not at all: tables and padding. */
export function isUneven(dataset: DataSet): boolean {
  const hasPadding = numbers(dataset, "PixelPaddingValue")?.length !== 0;
  return hasItems(dataset, "ModalityLUTSequence") || hasItems(dataset, "VOILUTSequence") || hasPadding;
}

/** Which levels are padding, not image; null if absent (PS3.3 C.7.5.1.1.2). */
export function findPadding(
  levels: Levels,
  dataset: DataSet,
  history: string[],
  warnings: string[],
): Uint8Array | null {
  const first = numbers(dataset, "PixelPaddingValue");
  if (first === null || first.length === 0) return null;
  const limit = numbers(dataset, "PixelPaddingRangeLimit");
  const last = limit === null || limit.length === 0 ? first : limit;
  const ends = [first[0], last[0]].map((value) => withSignOfPixels(value, dataset));
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const padding = Uint8Array.from(levels.values, (value) => (value >= low && value <= high ? 1 : 0));
  if (!padding.includes(1)) return null;
  if (!padding.includes(0)) {
    warnings.push(`${label("PixelPaddingValue")} covers the whole image and was ignored`);
    return null;
  }
  history.push(`took ${(100 * share(levels, padding)).toFixed(1)}% of the pixels for padding (0028,0120)`);
  return padding;
}

/** A padding value as the stored values have it: files write it signed for unsigned pixels and the reverse. */
function withSignOfPixels(value: number, dataset: DataSet): number {
  const stored = numbers(dataset, "BitsStored")?.[0] ?? 0;
  const allocated = numbers(dataset, "BitsAllocated")?.[0] ?? 0;
  if (!(stored > 0 && stored <= allocated && allocated <= 32)) return value;
  const isSigned = numbers(dataset, "PixelRepresentation")?.[0] === 1;
  const low = isSigned ? -(2 ** (stored - 1)) : 0;
  const high = low + 2 ** stored - 1;
  const readings = [allocated, stored].flatMap((bits) => [value, value - 2 ** bits, value + 2 ** bits]);
  return readings.find((each) => each >= low && each <= high) ?? value;
}

export function hasItems(dataset: DataSet, keyword: "ModalityLUTSequence" | "VOILUTSequence"): boolean {
  const found = element(dataset, keyword);
  return found !== undefined && ((found.items?.length ?? 0) > 0 || (found.items === undefined && found.length > 0));
}

/** A look-up table: its entries, and the value that the first one stands for. */
export interface Table {
  entries: number;
  first: number;
  lookUp(value: number): number;
}

/**
 * The first table of a LUT sequence, for an image whose values lie in low..high.
 *
 * The first value mapped is signed or not as the pixels are, and many files write it the other way: of the readings
 * the one is taken whose entries cover most of the image's range.
 */
export function findTable(
  dataset: DataSet,
  keyword: "ModalityLUTSequence" | "VOILUTSequence",
  low: number,
  high: number,
  name: string,
): Table {
  const item = firstItem(dataset, keyword);
  const descriptor = item === null ? undefined : element(item, "LUTDescriptor");
  const data = item === null ? undefined : element(item, "LUTData");
  if (item === null || descriptor === undefined || data === undefined || descriptor.length < 6) {
    throw fault("UNREADABLE", name, `reading ${label(keyword)} failed`, "the file is damaged or of an unsupported kind");
  }
  const entries = item.uint16(descriptor.tag, 0) || 2 ** 16;
  const unsigned = item.uint16(descriptor.tag, 1) ?? 0;
  const isWords = data.length >= 2 * entries;
  const isPacked = data.length >= entries && (item.uint16(descriptor.tag, 2) ?? 16) <= 8;
  if (!isWords && !isPacked) {
    const problem = `${label("LUTData")} is shorter than ${label("LUTDescriptor")} says`;
    throw fault("UNREADABLE", name, problem, "the table is damaged");
  }
  const isSigned = numbers(dataset, "PixelRepresentation")?.[0] === 1;
  const firsts = isSigned && unsigned >= 2 ** 15 ? [unsigned - 2 ** 16, unsigned] : [unsigned, unsigned - 2 ** 16];
  const cover = (at: number): number => Math.min(high, at + entries - 1) - Math.max(low, at);
  const first = cover(firsts[1]) > cover(firsts[0]) ? firsts[1] : firsts[0];
  const lookUp = (value: number): number => {
    const at = Math.min(entries - 1, Math.max(0, rint(value) - first));
    return isWords ? (item.uint16(data.tag, at) ?? 0) : bytesOf(item)[data.dataOffset + at];
  };
  return { entries, first, lookUp };
}

/** The nearest whole number, halves to the even one. */
export function rint(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}
