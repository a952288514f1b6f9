/** A radiograph to the input of the networks: resized and histogram equalised, as `cxrnet.imaging.preprocess`. */

import { fault } from "../reading/faults";
import { rint } from "../reading/greyscale";
import { general, type Radiograph } from "../reading/radiograph";
import { equaliseHistogram, equaliseRanks } from "./equalisation";
import type { Preparation } from "./model";
import { resizeArea, resizeLinear } from "./resize";

/** Of 65,535 in one grey of 255: whole greys stay whole. */
const STEPS = 257;

/** Refuse a preparation that this page does not know: the scores would be those of another image. */
export function checkPreparation(how: Preparation): void {
  const accepted = {
    interpolation: ["bilinear", "area"],
    equalisation: ["histogram", "rank"],
    depth: ["8-bit", "full"],
  };
  for (const [key, known] of Object.entries(accepted)) {
    const value = how[key as keyof typeof accepted];
    if (value !== undefined && !known.includes(value)) {
      const problem = `preparation.${key} is ${JSON.stringify(value)}`;
      throw new Error(`model: ${problem}; this page knows ${known.join(" and ")}, export it again`);
    }
  }
}

/** The prepared image: greys in [0, 255], row by row. */
export function prepare(radiograph: Radiograph, how: Preparation): Uint8Array {
  const { pixels, height, width, name } = radiograph;
  const resize = how.interpolation === "area" ? resizeArea : resizeLinear;
  const resized = resize({ values: pixels, height, width }, how.height, how.width);
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
  if (how.equalisation === "rank") return equaliseRanks(greys, how.height, how.width, isFull ? 65535 : 255);
  return equaliseHistogram(greys, low);
}
