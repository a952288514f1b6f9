/** PNG and JPEG pictures to radiographs; brighter is taken to be denser, for nothing in the file can tell. */

import { readFrameHeader } from "./codestream";
import type { Codecs } from "./codecs";
import { checkSize, fault } from "./faults";
import { decodePng, isPng, readOrientation, type Picture } from "./png";
import { general, range, scale, type Radiograph } from "./radiograph";

/** The colour test of `cxrnet.imaging.raster`: about 256 x 256 pixels, chroma without the tint of each luma. */
const SAMPLED_SIDE = 256;
const LUMA_BINS = 32;
const CHROMA_LEVELS = 24;
const COLOURED_FRACTION = 0.05;

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** The radiograph in a PNG or JPEG file. */
export async function readPicture(
  bytes: Uint8Array,
  name: string,
  digest: Promise<string | null>,
  codecs: Codecs,
): Promise<Radiograph> {
  const format = isPng(bytes) ? "PNG" : "JPEG";
  const picture = format === "PNG" ? decodePng(bytes, name) : await decodeJpeg(bytes, name, codecs);
  const warnings: string[] = [];
  if (picture.isTransparent) warnings.push("parts of the picture are transparent; the values stored there were used");
  const history = [`read ${format}, ${picture.width} x ${picture.height}, ${picture.depth}`];
  const grey = toGrey(picture, name);
  let pixels: Float32Array;
  if (picture.bits === 8) {
    const [low, high] = range(grey, null);
    if (low === high) {
      throw fault("CONSTANT", name, `every pixel has the same value, ${general(low)}`, "a radiograph has contrast");
    }
    pixels = Float32Array.from(grey);
  } else {
    pixels = scale(name, grey, null);
    const [low, high] = range(grey, null);
    history.push(`scaled from ${general(low)}..${general(high)} to 0..255`);
  }
  let { height, width } = picture;
  if (picture.orientation !== 1) {
    history.splice(1, 0, `turned upright, EXIF orientation ${picture.orientation}`);
    pixels = turned(pixels, height, width, picture.orientation);
    if (picture.orientation > 4) [height, width] = [width, height];
  }
  const sha256 = await digest;
  return { pixels, height, width, name, sha256, format, spacingMm: null, history, warnings, tags: {}, toneCurve: [] };
}

async function decodeJpeg(bytes: Uint8Array, name: string, codecs: Codecs): Promise<Picture> {
  const header = readFrameHeader(bytes);
  if (header === null) {
    throw fault("UNREADABLE", name, "reading the JPEG header failed", "the file is damaged or of an unsupported kind");
  }
  checkSize(name, header.height, header.width);
  if (header.bits !== 8 || (header.components !== 1 && header.components !== 3)) {
    const problem = `JPEG of ${header.bits} bits and ${header.components} components is not read in the browser`;
    throw fault("UNREADABLE", name, problem, "save it as PNG, or use `cxrnet screen`");
  }
  try {
    const frame = await codecs.decode("libjpegturbo", bytes);
    const channels = frame.components === 1 ? 1 : 3;
    const { width, height } = frame;
    const orientation = findOrientation(bytes);
    const depth = channels === 1 ? "8-bit grey" : "colour";
    return { samples: frame.bytes, channels, bits: 8, depth, width, height, isTransparent: false, orientation };
  } catch {
    const remedy = "the file is damaged or of an unsupported kind";
    throw fault("UNREADABLE", name, "decoding the JPEG picture failed", remedy);
  }
}

/** The EXIF orientation in the APP1 segment of a JPEG. */
function findOrientation(bytes: Uint8Array): number {
  for (let at = 2; at + 10 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
    const length = bytes[at + 2] * 256 + bytes[at + 3];
    const isExif = bytes[at + 4] === 0x45 && bytes[at + 5] === 0x78 && bytes[at + 6] === 0x69;
    if (bytes[at + 1] === 0xe1 && isExif) return readOrientation(bytes.slice(at + 10, at + 2 + length));
    at += 2 + Math.max(2, length);
  }
  return 1;
}

/** Greys in the range of the file; of a colour picture its luma (ITU-R BT.601), as Pillow and OpenCV compute it. */
function toGrey(picture: Picture, name: string): Float64Array {
  const { samples, channels } = picture;
  if (channels === 1) return Float64Array.from(samples);
  refuseColour(picture, name);
  const grey = new Float64Array(picture.width * picture.height);
  for (let at = 0; at < grey.length; at++) {
    const [red, green, blue] = [samples[3 * at], samples[3 * at + 1], samples[3 * at + 2]];
    grey[at] =
      picture.bits === 8
        ? (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >>> 16
        : red * 0.299 + green * 0.587 + blue * 0.114;
  }
  return grey;
}

/** Refuses a picture in colours; a tint, and letters or arrows in colour, are no such thing. */
function refuseColour(picture: Picture, name: string): void {
  const { samples, width, height } = picture;
  let white = picture.bits === 16 ? 1 : 255;
  for (const sample of samples) white = Math.max(white, sample);
  const step = Math.max(1, Math.floor(Math.max(width, height) / SAMPLED_SIDE));
  const bins = Array.from({ length: LUMA_BINS + 1 }, (): [number, number][] => []);
  let count = 0;
  for (let row = 0; row < height; row += step) {
    for (let column = 0; column < width; column += step) {
      const at = 3 * (row * width + column);
      const [red, green, blue] = [0, 1, 2].map((channel) => (samples[at + channel] * 255) / white);
      const luma = 0.299 * red + 0.587 * green + 0.114 * blue;
      bins[Math.floor((luma * LUMA_BINS) / 256)].push([0.564 * (blue - luma), 0.713 * (red - luma)]);
      count++;
    }
  }
  let coloured = 0;
  for (const bin of bins) {
    const tint = [0, 1].map((axis) => median(bin.map((one) => one[axis])));
    for (const [first, second] of bin) {
      if (Math.hypot(first - tint[0], second - tint[1]) > CHROMA_LEVELS) coloured++;
    }
  }
  if (coloured / count > COLOURED_FRACTION) {
    const problem = `${Math.round((100 * coloured) / count)}% of the picture is in colour`;
    throw fault("COLOUR", name, problem, "a radiograph is grey, or grey with a tint");
  }
}

function median(values: number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Pixels upright; an EXIF orientation above 4 is a transposition and then a flip. */
function turned(pixels: Float32Array, height: number, width: number, orientation: number): Float32Array {
  const isTransposed = orientation > 4;
  const [rows, columns] = isTransposed ? [width, height] : [height, width];
  const isMirrored = [2, 3, 6, 7].includes(orientation);
  const isFlipped = [3, 4, 7, 8].includes(orientation);
  const upright = new Float32Array(pixels.length);
  for (let row = 0; row < rows; row++) {
    const fromRow = isFlipped ? rows - 1 - row : row;
    for (let column = 0; column < columns; column++) {
      const fromColumn = isMirrored ? columns - 1 - column : column;
      const from = isTransposed ? fromColumn * width + fromRow : fromRow * width + fromColumn;
      upright[row * columns + column] = pixels[from];
    }
  }
  return upright;
}
