/**
 * The display settings of a DICOM file: a window or a table of the values of interest (PS3.3 C.11.2).
 *
 * They say how the image is shown, not what is in it. A setting that keeps the order of the values becomes the tone
 * curve of the radiograph; only a table that changes their order changes the pixels.
 */

import type { DataSet } from "dicom-parser";

import { code, element, label, numbers } from "./attributes";
import { ReadingError } from "./faults";
import { findTable, hasItems } from "./greyscale";
import { general, range, type ToneCurve } from "./radiograph";

const SIGMOID_KNOTS = 33;
const MOST_KNOTS = 257;
/** Part of all steps of a table that may go the other way: quantised curves do. */
const ROUNDING = 0.01;

interface Voi {
  text: string;
  apply: (value: number) => number;
  /** Values between which it is even. */
  knots: number[];
}

export interface Display {
  /** The values whose order counts. */
  grey: Float64Array;
  curve: ToneCurve;
}

/** The values of an image and how the file shows them; `range` is that of the values that are image. */
export function findDisplay(
  grey: Float64Array,
  [low, high]: [number, number],
  dataset: DataSet,
  name: string,
  history: string[],
  warnings: string[],
): Display {
  const voi = findVoi(dataset, low, high, name, warnings);
  if (voi === null) return { grey, curve: [] };
  const inside = voi.knots.map((knot) => Math.min(high, Math.max(low, knot)));
  const values = [...new Set([low, ...inside, high])].sort((a, b) => a - b);
  const shown = values.map(voi.apply);
  let rise = 0;
  let fall = 0;
  for (let at = 1; at < shown.length; at++) {
    const step = shown[at] - shown[at - 1];
    if (step > 0) rise += step;
    else fall -= step;
  }
  if (rise + fall === 0) {
    warnings.push(`${voi.text} shows every value alike and was ignored`);
    return { grey, curve: [] };
  }
  if (Math.min(rise, fall) > ROUNDING * (rise + fall)) {
    history.push(`${voi.text} applied, since it changes the order of the values`);
    return { grey: grey.map(voi.apply), curve: [] };
  }
  history.push(`${voi.text} kept for display`);
  const picked = pick(values.length);
  const at = fullRange(values);
  const to = fullRange(shown);
  const points = picked.map((index): [number, number] => [at[index], to[index]]);
  if (fall > rise) {
    history.push("inverted once, since the table falls");
    const falling = points.reverse().map(([value, level]): [number, number] => [255 - value, level]);
    return { grey: invertedGrey(grey), curve: falling };
  }
  return { grey, curve: points };
}

/** The same with dark and bright exchanged, values and shown values alike. */
export function invertedDisplay({ grey, curve }: Display): Display {
  const points = [...curve].reverse().map(([value, shown]): [number, number] => [255 - value, 255 - shown]);
  return { grey: invertedGrey(grey), curve: points };
}

function invertedGrey(grey: Float64Array): Float64Array {
  const [low, high] = range(grey, null);
  return grey.map((value) => high + low - value);
}

function pick(count: number): number[] {
  const wanted = Math.min(count, MOST_KNOTS);
  const places = Array.from({ length: wanted }, (_, at) => Math.floor((at * (count - 1)) / Math.max(1, wanted - 1)));
  return [...new Set(places)];
}

function fullRange(values: number[]): number[] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return values.map((value) => ((value - low) / (high - low)) * 255);
}

/** What the file says about its display: the first table, or else the first window; a damaged one is a warning. */
function findVoi(dataset: DataSet, low: number, high: number, name: string, warnings: string[]): Voi | null {
  if (hasItems(dataset, "VOILUTSequence")) return findVoiTable(dataset, low, high, name, warnings);
  const centres = numbers(dataset, "WindowCenter");
  const widths = numbers(dataset, "WindowWidth");
  if (centres === null || widths === null) {
    warnings.push(`${label(centres === null ? "WindowCenter" : "WindowWidth")} is not a number; ignored`);
    return null;
  }
  if (centres.length === 0 || widths.length === 0) {
    if (centres.length + widths.length > 0) {
      warnings.push(`${label("WindowCenter")} and Window Width do not come together and were ignored`);
    }
    return null;
  }
  if (centres.length > 1 || widths.length > 1) {
    warnings.push(`${label("WindowCenter")} has several windows; the first was used`);
  }
  return findWindow(centres[0], widths[0], (code(dataset, "VOILUTFunction") || "LINEAR").toUpperCase(), warnings);
}

function findVoiTable(dataset: DataSet, low: number, high: number, name: string, warnings: string[]): Voi | null {
  try {
    const table = findTable(dataset, "VOILUTSequence", low, high, name);
    if ((element(dataset, "VOILUTSequence")?.items?.length ?? 0) > 1) {
      warnings.push(`${label("VOILUTSequence")} has several tables; the first was used`);
    }
    const knots = Array.from({ length: table.entries }, (_, at) => table.first + at);
    return { text: label("VOILUTSequence"), apply: (value) => table.lookUp(value), knots };
  } catch (error) {
    if (!(error instanceof ReadingError)) throw error;
    warnings.push(`${label("VOILUTSequence")} is damaged and was ignored`);
    return null;
  }
}

/** A window as PS3.3 C.11.2.1.2 and C.11.2.1.3 define it, null where it is not usable. */
function findWindow(centre: number, width: number, shape: string, warnings: string[]): Voi | null {
  if (!["LINEAR", "LINEAR_EXACT", "SIGMOID"].includes(shape)) {
    warnings.push(`${label("VOILUTFunction")} is not known; the window was ignored`);
    return null;
  }
  if (width <= 0 || (shape === "LINEAR" && width < 1)) {
    warnings.push(`${label("WindowWidth")} is ${general(width)} for ${shape}; the window was ignored`);
    return null;
  }
  const text = `window ${general(centre)}/${general(width)} ${shape} (0028,1050)`;
  if (shape === "SIGMOID") {
    const knots = Array.from(
      { length: SIGMOID_KNOTS },
      (_, at) => centre - 2 * width + (4 * width * at) / (SIGMOID_KNOTS - 1),
    );
    const apply = (value: number): number =>
      1 / (1 + Math.exp(Math.min(700, Math.max(-700, (-4 * (value - centre)) / width))));
    return { text, apply, knots };
  }
  const middle = shape === "LINEAR" ? centre - 0.5 : centre;
  const whole = shape === "LINEAR" ? Math.max(width - 1, 1e-6) : width;
  const ends = [middle - whole / 2, middle + whole / 2];
  return { text, apply: (value) => Math.min(ends[1], Math.max(ends[0], value)), knots: ends };
}
