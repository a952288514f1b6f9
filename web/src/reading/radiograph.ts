/** A radiograph as the networks and the viewer see it, and the scaling of stored values to it. */

import { fault } from "./faults";

export interface Radiograph {
  /** Greys in [0, 255], row by row; brighter is denser. */
  pixels: Float32Array;
  height: number;
  width: number;
  name: string;
  /** Of the bytes of the file, hexadecimal; null where the page has no secure context to compute it in. */
  sha256: string | null;
  format: "DICOM" | "PNG" | "JPEG";
  /** Distance between the centres of neighbouring rows and columns. */
  spacingMm: [number, number] | null;
  history: string[];
  warnings: string[];
  /** DICOM attributes about the view and the kind of image, by keyword. */
  tags: Record<string, string>;
  /** How the file wants the pixels shown; [] shows them as they are. */
  toneCurve: ToneCurve;
}

/** Points (value, shown value), both in [0, 255] and rising, between which a display is linear. */
export type ToneCurve = [number, number][];

/** Stored values, row by row, before anything is done to them. */
export interface Raster {
  values: Uint8Array | Uint16Array | Int16Array | Int32Array | Uint32Array | Float32Array | Float64Array;
  height: number;
  width: number;
}

/** A number as Python's `:g` prints it: six significant digits without trailing zeros. */
export function general(value: number): string {
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(5).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)));
  const sign = exponent < 0 ? "-" : "+";
  return `${String(Number(digits))}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/**
 * Greys in [0, 255] of the values of one raster, each value once or pixel by pixel: float64 steps as in Python.
 *
 * @param background 1 where there is no image; becomes 0 and does not count.
 */
export function scale(name: string, values: Float64Array, background: Uint8Array | null): Float32Array {
  let low = Infinity;
  let high = -Infinity;
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (!Number.isFinite(value)) {
      throw fault("UNREADABLE", name, "some pixels are NaN or infinite", "every pixel must be a finite number");
    }
    if (background === null || background[at] === 0) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) low = high = 0;
  const half = high / 2 - low / 2;
  if (half === 0) {
    throw fault("CONSTANT", name, `every pixel has the same value, ${general(low)}`, "a radiograph has contrast");
  }
  const scaled = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    if (background !== null && background[at] === 1) continue;
    const grey = ((values[at] / 2 - low / 2) / half) * 255;
    scaled[at] = grey < 0 ? 0 : grey > 255 ? 255 : grey;
  }
  return scaled;
}

/** The least and the greatest of values, (0, 0) where there are none. */
export function range(values: Float64Array, background: Uint8Array | null): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let at = 0; at < values.length; at++) {
    if (background !== null && background[at] === 1) continue;
    if (values[at] < low) low = values[at];
    if (values[at] > high) high = values[at];
  }
  return low > high ? [0, 0] : [low, high];
}
