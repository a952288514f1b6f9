/** The values of a raster, each once: what is done value by value is done to a few thousand and not to millions. */

import type { Raster } from "./radiograph";

export interface Levels {
  /** Rising values; of a raster with more than 16 bits, or with fractions, the raster itself. */
  values: Float64Array;
  /** The raster of at most 16 bits; null where each pixel is its own level. */
  stored: Uint8Array | Uint16Array | Int16Array | null;
  /** Pixels with each value; null where each pixel is its own. */
  counts: Uint32Array | null;
}

/** Numbers of 16 bits, by which the tables of levels are addressed. */
const NUMBERS = 2 ** 16;
const LOW_BITS = NUMBERS - 1;

/**
 * @param occurring Whether only values that occur are taken. Otherwise all whole numbers from the least to the
 *   greatest are, which does where what follows rises, or falls, throughout.
 */
export function findLevels(raster: Raster, occurring: boolean): Levels {
  const stored = raster.values;
  if (!(stored instanceof Uint8Array || stored instanceof Uint16Array || stored instanceof Int16Array)) {
    return { values: Float64Array.from(stored), stored: null, counts: null };
  }
  const all = new Uint32Array(NUMBERS);
  for (let at = 0; at < stored.length; at++) all[stored[at] & LOW_BITS]++;
  const first = stored instanceof Int16Array ? -NUMBERS / 2 : 0;
  const values: number[] = [];
  let end = 0; // of the values up to the greatest that occurs
  for (let value = first; value < first + NUMBERS; value++) {
    const count = all[value & LOW_BITS];
    if (count > 0 || (!occurring && end > 0)) values.push(value);
    if (count > 0) end = values.length;
  }
  values.length = end;
  return { values: Float64Array.from(values), stored, counts: Uint32Array.from(values, (value) => all[value & LOW_BITS]) };
}

/** The part of the pixels whose level is chosen. */
export function share(levels: Levels, chosen: Uint8Array): number {
  let part = 0;
  let all = 0;
  for (let at = 0; at < chosen.length; at++) {
    const count = levels.counts === null ? 1 : levels.counts[at];
    all += count;
    if (chosen[at] === 1) part += count;
  }
  return part / all;
}

/** The pixels, each with what is shown of its level. */
export function picture({ values, stored }: Levels, shown: Float32Array): Float32Array {
  if (stored === null) return shown;
  const table = new Float32Array(NUMBERS);
  for (let at = 0; at < values.length; at++) table[values[at] & LOW_BITS] = shown[at];
  const pixels = new Float32Array(stored.length);
  for (let at = 0; at < pixels.length; at++) pixels[at] = table[stored[at] & LOW_BITS];
  return pixels;
}
