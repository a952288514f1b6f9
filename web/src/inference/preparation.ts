/** A radiograph to the input of the networks: resized and histogram equalised, as `cxrnet.imaging.preprocess`. */

import { fault } from "../reading/faults";
import { rint } from "../reading/greyscale";
import { general, type Radiograph } from "../reading/radiograph";
import type { Preparation } from "./model";
import { resizeArea, resizeLinear } from "./resize";

/** Of 65,535 in one grey of 255: whole greys stay whole. */
const STEPS = 257;

/** The prepared image: greys in [0, 255], row by row. */
export function prepare(radiograph: Radiograph, how: Preparation): Uint8Array {
  const { pixels, height, width, name } = radiograph;
  const resize = how.interpolation === "area" ? resizeArea : resizeLinear;
  const resized = resize(pixels, height, width, how.height, how.width);
  const isFull = how.depth === "full";
  const greys = new Uint16Array(resized.length);
  let low = 65535;
  let high = 0;
  for (let at = 0; at < greys.length; at++) {
    const grey = Math.abs(resized[at]);
    const level = rint(isFull ? Math.fround(grey * STEPS) : grey);
    greys[at] = level;
    if (level < low) low = level;
    if (level > high) high = level;
  }
  if (low === high) {
    const problem = `every pixel of the prepared image is ${general(resized[0])}`;
    throw fault("CONSTANT", name, problem, "a radiograph has contrast");
  }
  return equalise(greys, low);
}

/**
 * The histogram equalised: the lowest grey becomes 0, the others 255 / (pixels - its count) x (cumulative count - its
 * count), rounded half to even, in float32.
 */
function equalise(greys: Uint16Array, low: number): Uint8Array {
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
