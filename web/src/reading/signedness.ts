/** Whether stored values are signed, where Pixel Representation (0028,0103) and the picture contradict each other. */

import type { Raster } from "./radiograph";

const ROWS = 128;
/** Of the steps as declared, below which the other sign is right. */
const SMOOTHER = 0.75;
/** Of the pixels with one of two values: drawn, as a mask is, and its steps say nothing. */
const TWO_VALUES = 0.6;

/** Whether values are signed: as declared, but where the other sign makes a picture and the declared one does not. */
export function findSign({ values, height, width }: Raster, bits: number, isSigned: boolean): boolean {
  const every = Math.max(1, Math.floor(height / ROWS));
  const [range, half] = [2 ** bits, 2 ** (bits - 1)];
  const counts = new Map<number, number>();
  let [declared, other] = [0, 0]; // sums of steps
  for (let row = 0; row < height; row += every) {
    let [lastRaw, lastSigned] = [0, 0];
    for (let column = 0; column < width; column++) {
      const value = values[row * width + column];
      const raw = value < 0 ? value + range : value;
      const signed = raw >= half ? raw - range : raw;
      counts.set(raw, (counts.get(raw) ?? 0) + 1);
      if (column > 0) {
        declared += Math.abs(isSigned ? signed - lastSigned : raw - lastRaw);
        other += Math.abs(isSigned ? raw - lastRaw : signed - lastSigned);
      }
      [lastRaw, lastSigned] = [raw, signed];
    }
  }
  if (other >= SMOOTHER * declared) return isSigned;
  const [first = 0, second = 0] = [...counts.values()].sort((one, next) => next - one);
  return first + second < TWO_VALUES * Math.ceil(height / every) * width ? !isSigned : isSigned;
}
