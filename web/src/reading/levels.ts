/** The values of a raster, each once: what is done value by value is done to a few thousand and not to millions. */

import type { Raster } from "./radiograph";

export interface Levels {
  /** Rising values; of a raster with more than 16 bits, or with fractions, the raster itself. */
  values: Float64Array;
  /** Index of the level of each pixel; null where each pixel is its own. */
  places: Uint16Array | null;
  /** Pixels with each value; null where each pixel is its own. */
  counts: Uint32Array | null;
}

/**
 * @param occurring Whether only values that occur are taken. Otherwise all whole numbers from the least to the
 *   greatest are, which does where what follows rises, or falls, throughout.
 */
export function findLevels(raster: Raster, occurring: boolean): Levels {
  const stored = raster.values;
  if (!(stored instanceof Uint8Array || stored instanceof Uint16Array || stored instanceof Int16Array)) {
    return { values: Float64Array.from(stored), places: null, counts: null };
  }
  let low = stored[0];
  let high = stored[0];
  for (const value of stored) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const counts = new Uint32Array(high - low + 1);
  const places = new Uint16Array(stored.length);
  for (let at = 0; at < stored.length; at++) {
    places[at] = stored[at] - low;
    counts[places[at]]++;
  }
  if (!occurring) return { values: Float64Array.from(counts, (_, at) => low + at), places, counts };
  const numbers = new Uint16Array(counts.length);
  const kept: number[] = [];
  counts.forEach((count, at) => {
    if (count > 0) {
      numbers[at] = kept.length;
      kept.push(at);
    }
  });
  for (let at = 0; at < places.length; at++) places[at] = numbers[places[at]];
  return {
    values: Float64Array.from(kept, (at) => low + at),
    places,
    counts: Uint32Array.from(kept, (at) => counts[at]),
  };
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

/** Each pixel the number of its level. */
export function picture(levels: Levels, shown: Float32Array): Float32Array {
  if (levels.places === null) return shown;
  const pixels = new Float32Array(levels.places.length);
  for (let at = 0; at < pixels.length; at++) pixels[at] = shown[levels.places[at]];
  return pixels;
}
