/** Greys of 8 or 16 bits to greys in [0, 255], as `equalise` and `equalise_ranks` of `cxrnet.imaging.preprocess`. */

import { rint } from "../reading/greyscale";

/**
 * The histogram equalised: the lowest grey becomes 0, the others 255 / (pixels - its count) x (cumulative count - its
 * count), rounded half to even, in float32.
 */
export function equaliseHistogram(greys: Uint16Array, low: number): Uint8Array {
  const counts = new Uint32Array(65536);
  for (const grey of greys) counts[grey]++;
  const scale = Math.fround(255 / Math.fround(greys.length - counts[low]));
  const table = new Uint8Array(65536);
  let sum = 0;
  for (let grey = low + 1; grey < 65536; grey++) {
    sum += counts[grey];
    table[grey] = Math.min(255, rint(Math.fround(Math.fround(sum) * scale)));
  }
  return Uint8Array.from(greys, (grey) => table[grey]);
}

/**
 * Each grey replaced by the middle of its ranks, rounded half to even, in float64. A uniform border becomes 0 and does
 * not count, nor does the lowest grey inside it.
 */
export function equaliseRanks(greys: Uint16Array, height: number, width: number, white: number): Uint8Array {
  const { top, bottom, left, right } = insideBorder(greys, height, width, white);
  const counts = new Uint32Array(white + 1);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) counts[greys[row * width + column]]++;
  }
  const lowest = counts.findIndex((count) => count > 0);
  const total = Math.max((bottom - top) * (right - left) - counts[lowest], 1);
  const table = new Uint8Array(white + 1);
  let sum = 0;
  for (let grey = lowest + 1; grey <= white; grey++) {
    sum += counts[grey];
    table[grey] = rint((255 * (sum - counts[grey] / 2)) / total);
  }
  const equalised = new Uint8Array(greys.length);
  for (let row = top; row < bottom; row++) {
    for (let at = row * width + left; at < row * width + right; at++) equalised[at] = table[greys[at]];
  }
  return equalised;
}

interface Box {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** The rows and columns, ends excluded, inside a uniform border of up to a quarter of each side. */
function insideBorder(greys: Uint16Array, height: number, width: number, white: number): Box {
  const tolerance = Math.floor(white / 128);

  /** The number of uniform lines from `start` on, `stride` apart, each of `length` pixels that are `step` apart. */
  function uniform(lines: number, start: number, stride: number, length: number, step: number): number {
    const most = Math.floor(lines / 4);
    for (let line = 0; line < most; line++) {
      let low = white;
      let high = 0;
      for (let pixel = 0, at = start + line * stride; pixel < length; pixel++, at += step) {
        if (greys[at] < low) low = greys[at];
        if (greys[at] > high) high = greys[at];
      }
      if (high - low > tolerance) return line;
    }
    return most;
  }

  const top = uniform(height, 0, width, width, 1);
  const bottom = height - uniform(height, (height - 1) * width, -width, width, 1);
  const left = uniform(width, top * width, 1, bottom - top, width);
  const right = width - uniform(width, top * width + width - 1, -1, bottom - top, width);
  return { top, bottom, left, right };
}
