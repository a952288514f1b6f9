/** A image in halved sizes: drawn small from the full size, fine structures would flicker. */

import type { DeepImage } from "../page/source";

export interface Level {
  values: Uint16Array;
  height: number;
  width: number;
}

/** The image and its halves, down to about 256 pixels; a tone curve with a shape of its own is applied. */
export function buildPyramid(image: DeepImage): Level[] {
  const levels: Level[] = [{ values: shaped(image), height: image.height, width: image.width }];
  for (let last = levels[0]; Math.min(last.height, last.width) > 512; last = levels[levels.length - 1]) {
    levels.push(halve(last));
  }
  return levels;
}

/** Points of a curve that a window makes: a rise between two flat ends. */
const WINDOW_POINTS = 4;

function shaped({ values, toneCurve }: DeepImage): Uint16Array {
  if (toneCurve.length <= WINDOW_POINTS) return values;
  const table = new Uint16Array(65536);
  let at = 0;
  for (let value = 0; value < 65536; value++) {
    while (at < toneCurve.length - 2 && toneCurve[at + 1][0] * 257 < value) at++;
    const [[from, low], [to, high]] = [toneCurve[at], toneCurve[at + 1]];
    const part = Math.min(1, Math.max(0, (value / 257 - from) / Math.max(1e-9, to - from)));
    table[value] = (low + part * (high - low)) * 257;
  }
  return values.map((value) => table[value]);
}

/** The window that a image is first shown with, on 0 to 65,535: the file's own, or one that nearly all greys fill. */
export function firstWindow(image: DeepImage): [number, number] {
  const { toneCurve } = image;
  if (toneCurve.length === 0) return filledWindow(image.values);
  if (toneCurve.length > WINDOW_POINTS) return [0, 65535];
  const rising = toneCurve.filter(([, shown], at) => {
    const before = at === 0 ? shown : toneCurve[at - 1][1];
    const after = at === toneCurve.length - 1 ? shown : toneCurve[at + 1][1];
    return before !== shown || after !== shown;
  });
  if (rising.length < 2) return [0, 65535];
  return [rising[0][0] * 257, rising[rising.length - 1][0] * 257];
}

/** Shares of the pixels that lie below and above the window of a image that names none. */
const TAILS = 0.005;

function filledWindow(values: Uint16Array): [number, number] {
  const counts = new Uint32Array(65536);
  for (const value of values) counts[value]++;
  const reach = (share: number): number => {
    let sum = 0;
    for (let value = 0; value < 65536; value++) {
      sum += counts[value];
      if (sum >= share * values.length) return value;
    }
    return 65535;
  };
  const [low, high] = [reach(TAILS), reach(1 - TAILS)];
  return high > low ? [low, high] : [0, 65535];
}

/** The image turned clockwise by so many quarters. */
export function turnImage(image: DeepImage, quarters: number): DeepImage {
  if (quarters % 4 === 0) return image;
  const { values, height, width } = image;
  const turned = new Uint16Array(values.length);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++) turned[column * height + height - 1 - row] = values[at++];
  }
  return turnImage({ ...image, values: turned, height: width, width: height }, quarters - 1);
}

function halve({ values, height, width }: Level): Level {
  const [rows, columns] = [height >> 1, width >> 1];
  const halved = new Uint16Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = 2 * row * width + 2 * column;
      const sum = values[at] + values[at + 1] + values[at + width] + values[at + width + 1];
      halved[row * columns + column] = (sum + 2) >> 2;
    }
  }
  return { values: halved, height: rows, width: columns };
}
