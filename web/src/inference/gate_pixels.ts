/** What the gate asks of the pixels themselves: grey levels, contrast and clipping. */

import { rint } from "../reading/greyscale";
import type { Radiograph } from "../reading/radiograph";
import type { Maps } from "./finding";
import { refused, warned, type GateResult } from "./gate_result";
import type { GateRules } from "./model";
import { percent } from "./numbers";

/** Rows and columns, ends excluded. */
interface Box {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** Whether an image has enough grey levels and contrast. */
export function checkContrast(radiograph: Radiograph, rules: GateRules): GateResult {
  const { height, width } = radiograph;
  const pixels = sample(radiograph, { top: 0, bottom: height, left: 0, right: width }, rules);
  const counts = new Uint32Array(65536);
  for (const pixel of pixels) counts[rint(Math.fround(pixel * 257))]++;
  const reach = (share: number): number => {
    let sum = 0;
    return counts.findIndex((count) => (sum += count) / pixels.length >= share);
  };
  const [low, high] = [reach(0.01), reach(0.99)];
  const nonzero = (from: number, to: number): number => counts.subarray(from, to).reduce((sum, one) => sum + Number(one > 0), 0);
  const levels = nonzero(0, 65536);
  const contrast = (high - low) / 65535;
  // Images of more than 8 bits may fill a small part of their range and still have all their levels in it.
  if (levels >= rules.min_levels && (contrast >= rules.min_range || nonzero(low, high + 1) > 256)) return refused();
  const text = `${levels} levels of grey, with ${percent(contrast)} of the range between nearly all of them`;
  const reason = { code: "LOW_CONTRAST", text };
  return levels < rules.min_levels ? refused(reason) : warned(reason);
}

/** Whether the stored values around the lungs are clipped: many pixels share the greatest or the least value. */
export function checkClipping(radiograph: Radiograph, maps: Maps, rules: GateRules): GateResult {
  const box = aroundLungs(radiograph, maps);
  if (box === null) return refused();
  const pixels = sample(radiograph, box, rules);
  const [low, high] = quantiles(pixels, [0.001, 0.999]); // markers and hot pixels lie beyond
  const tolerance = (high - low) / 255; // compression blurs the edge of a clipped area
  let [darkCount, brightCount] = [0, 0];
  for (let at = 0; at < pixels.length; at++) {
    if (pixels[at] <= low + tolerance) darkCount++;
    if (pixels[at] >= high - tolerance) brightCount++;
  }
  const [dark, bright] = [darkCount / pixels.length, brightCount / pixels.length];
  const [share, end] = dark >= bright ? [dark, "least"] : [bright, "greatest"];
  if (share <= rules.doubted_clipping) return refused();
  const where = `${percent(share)} of the pixels around the lungs have the ${end} value`;
  const reason = { code: "CLIPPED", text: `${where}: the image was clipped when it was stored` };
  return share > rules.max_clipping ? refused(reason) : warned(reason);
}

/** The box of the lungs in the radiograph; null where there are none. */
function aroundLungs(radiograph: Radiograph, { lungProbability, height, width }: Maps): Box | null {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (lungProbability[row * width + column] <= 0.5) continue;
      if (row < top) top = row;
      bottom = row + 1;
      if (column < left) left = column;
      if (column >= right) right = column + 1;
    }
  }
  if (bottom === 0) return null;
  const down = (end: number): number => Math.floor((end * radiograph.height) / height);
  const across = (end: number): number => Math.floor((end * radiograph.width) / width);
  return { top: down(top), bottom: down(bottom), left: across(left), right: across(right) };
}

/** Every n-th row and column, about `max_samples` pixels. */
function sample({ pixels, width }: Radiograph, { top, bottom, left, right }: Box, rules: GateRules): Float32Array {
  const step = Math.max(1, Math.floor(Math.sqrt(((bottom - top) * (right - left)) / rules.max_samples)));
  const found = new Float32Array(Math.ceil((bottom - top) / step) * Math.ceil((right - left) / step));
  let at = 0;
  for (let row = top; row < bottom; row += step) {
    for (let column = left; column < right; column += step) found[at++] = pixels[row * width + column];
  }
  return found;
}

/** Linear between the neighbours in the sorted array, in float64 as NumPy computes it. */
function quantiles(pixels: Float32Array, shares: number[]): number[] {
  const counts = new Uint32Array(BINS);
  for (let at = 0; at < pixels.length; at++) counts[bin(pixels[at])]++;
  return shares.map((share) => {
    const place = (pixels.length - 1) * share;
    const first = Math.floor(place);
    const [below, above] = [first, Math.min(first + 1, pixels.length - 1)].map((rank) => ranked(pixels, counts, rank));
    const part = place - first;
    const apart = Math.fround(above - below);
    return part >= 0.5 ? above - apart * (1 - part) : below + apart * part;
  });
}

/** The pixel of a rank in the sorted array: only the pixels of its bin are sorted. */
function ranked(pixels: Float32Array, counts: Uint32Array, rank: number): number {
  let before = 0;
  let own = 0;
  while (before + counts[own] <= rank) before += counts[own++];
  return pixels.filter((pixel) => bin(pixel) === own).sort()[rank - before];
}

const BINS = 65536;

function bin(pixel: number): number {
  return Math.floor(pixel * 257);
}
