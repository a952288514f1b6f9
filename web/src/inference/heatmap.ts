/** Heat maps in closed form from the class maps, as `cxrnet.screening.heatmap` computes them. */

import type { Maps } from "./finding";
import { resizeLinear, type Grid } from "./resize";

/** One map: values in [0, 1], of a difference in [-1, 1], NaN outside the lungs. */
export type HeatMap = Grid;

/**
 * The heat map of each class at the size of the prepared image times a factor.
 *
 * @param fold Number of the fold whose maps are shown; null shows the ensemble.
 */
export function heatMaps(maps: Maps, maskThreshold: number, fold: number | null, factor = 1): HeatMap[] {
  const plane = maps.rows * maps.columns;
  const classes = maps.classMaps.length / plane;
  const size = classes * plane;
  const source = fold === null ? maps.classMaps : maps.foldMaps.subarray(fold * size, (fold + 1) * size);
  const activations = contrast(source, classes, plane);
  const native = isLung(maps.lungMask, maskThreshold);
  const [height, width] = [maps.height * factor, maps.width * factor];
  const mask = factor === 1 ? maps.lungMask : resizeLinear({ ...maps, values: maps.lungMask }, height, width);
  const lungs = isLung(mask, maskThreshold);
  return activations.map((activation) => {
    const grid = { values: activation, height: maps.rows, width: maps.columns };
    const raw = resizeLinear(grid, maps.height, maps.width);
    const [low, span] = rangeWithin(raw, native);
    const shown = factor === 1 ? raw : resizeLinear(grid, height, width);
    const values = new Float32Array(shown.length);
    for (let at = 0; at < values.length; at++) {
      const value = Math.fround(Math.fround(shown[at] - low) / span);
      values[at] = lungs[at] === 1 ? Math.min(1, Math.max(0, value)) : NaN;
    }
    return { values, height, width };
  });
}

/** First minus second heat map; null unless there are two. */
export function difference(maps: HeatMap[]): HeatMap | null {
  if (maps.length !== 2) return null;
  const [first, second] = maps;
  return { ...first, values: first.values.map((value, at) => value - second.values[at]) };
}

/** Each class map against the others: Grad-CAM up to a positive factor. */
function contrast(classMaps: Float32Array, classes: number, plane: number): Float32Array[] {
  const each = Array.from({ length: classes }, (_, at) => classMaps.subarray(at * plane, (at + 1) * plane));
  if (classes === 2) {
    const first = each[0].map((value, at) => value - each[1][at]);
    return [first, first.map((value) => -value)];
  }
  const logits = each.map((map) => map.reduce((sum, value) => sum + value, 0) / plane);
  return each.map((own, at) => {
    const others = each.filter((_, other) => other !== at);
    const weights = softmax(logits.filter((_, other) => other !== at));
    return own.map((value, place) => {
      const competing = others.reduce((sum, other, index) => sum + weights[index] * other[place], 0);
      return value - competing;
    });
  });
}

function softmax(logits: number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((one) => Math.exp(one - most));
  const sum = powers.reduce((total, one) => total + one, 0);
  return powers.map((one) => one / sum);
}

function isLung(mask: Float32Array, threshold: number): Uint8Array {
  return Uint8Array.from(mask, (value) => (value > threshold ? 1 : 0));
}

function rangeWithin(values: Float32Array, lungs: Uint8Array): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let at = 0; at < values.length; at++) {
    if (lungs[at] === 0) continue;
    if (values[at] < low) low = values[at];
    if (values[at] > high) high = values[at];
  }
  return low > high ? [0, 1] : [low, Math.max(Math.fround(high - low), 1e-30)];
}
