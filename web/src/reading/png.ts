/** PNG without a canvas (ISO/IEC 15948): a canvas keeps 8 bits only, and some browsers add noise to what is read back. */

import { unzlibSync } from "fflate";

import { checkSize, fault } from "./faults";

export interface Picture {
  /** Samples of each pixel, `channels` of them, alpha left out. */
  samples: Uint8Array | Uint16Array;
  channels: 1 | 3;
  bits: number;
  /** How the values are stored, for people. */
  depth: string;
  height: number;
  width: number;
  isTransparent: boolean;
  orientation: number;
}

interface Header {
  width: number;
  height: number;
  bits: number;
  kind: number;
  isInterlaced: boolean;
}

const CHANNELS: Readonly<Record<number, number | undefined>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

export function isPng(bytes: Uint8Array): boolean {
  return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((one, at) => bytes[at] === one);
}

/** The picture in a PNG file; no more is inflated than its header says that it has. */
export function decodePng(bytes: Uint8Array, name: string): Picture {
  const damaged = (what: string): Error =>
    fault("UNREADABLE", name, `decoding the PNG picture failed (${what})`, "the file is damaged or of an unsupported kind");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | null = null;
  let palette: Uint8Array | null = null;
  let isTransparent = false;
  let orientation = 1;
  const parts: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (content.length < length) throw damaged("it is truncated");
    if (kind === "IHDR") header = readHeader(content, name);
    else if (kind === "PLTE") palette = content;
    else if (kind === "tRNS") isTransparent = true;
    else if (kind === "eXIf") orientation = readOrientation(content);
    else if (kind === "acTL") throw fault("MULTI_FRAME", name, "the file is an animation", "give one image a file");
    else if (kind === "IDAT") parts.push(content);
    else if (kind === "IEND") break;
    at += 12 + length;
  }
  const channels = header === null ? undefined : CHANNELS[header.kind];
  if (header === null || channels === undefined || (header.kind === 3 && palette === null)) throw damaged("no header");
  const passes = header.isInterlaced ? ADAM7 : [[0, 0, 1, 1] as const];
  const bitsPerPixel = header.bits * channels;
  const sizes = passes.map(([left, top, across, down]) => passSize(header, left, top, across, down));
  const total = sizes.reduce((sum, [w, h]) => sum + (w === 0 ? 0 : h * (1 + Math.ceil((w * bitsPerPixel) / 8))), 0);
  let inflated: Uint8Array;
  try {
    inflated = unzlibSync(joined(parts), { out: new Uint8Array(total) });
  } catch {
    throw damaged("its data cannot be inflated");
  }
  if (inflated.length < total) throw damaged("it is truncated");
  const samples =
    header.bits === 16
      ? new Uint16Array(header.width * header.height * channels)
      : new Uint8Array(header.width * header.height * channels);
  let from = 0;
  passes.forEach(([left, top, across, down], pass) => {
    const [width, height] = sizes[pass];
    if (width === 0 || height === 0) return;
    const stride = Math.ceil((width * bitsPerPixel) / 8);
    const rows = inflated.subarray(from, from + height * (stride + 1));
    from += rows.length;
    if (!unfilter(rows, stride, height, Math.max(1, bitsPerPixel >> 3))) throw damaged("an unknown filter");
    for (let row = 0; row < height; row++) {
      const line = rows.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1));
      const start = ((top + row * down) * header.width + left) * channels;
      spread(line, width, channels, header.bits, samples, start, across * channels);
    }
  });
  return finished(samples, header, channels, palette, isTransparent, orientation);
}

function readHeader(content: Uint8Array, name: string): Header {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  checkSize(name, height, width);
  return { width, height, bits: content[8], kind: content[9], isInterlaced: content[12] === 1 };
}

function passSize(header: Header, left: number, top: number, across: number, down: number): [number, number] {
  return [
    Math.max(0, Math.ceil((header.width - left) / across)),
    Math.max(0, Math.ceil((header.height - top) / down)),
  ];
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Undoes the filters of all rows in place; false where one is not known. */
function unfilter(rows: Uint8Array, stride: number, height: number, step: number): boolean {
  const line = stride + 1;
  for (let row = 0; row < height; row++) {
    const start = row * line + 1;
    const filter = rows[start - 1];
    if (filter > 4) return false;
    for (let at = start; at < start + stride && filter !== 0; at++) {
      const left = at - start >= step ? rows[at - step] : 0;
      const up = row > 0 ? rows[at - line] : 0;
      if (filter === 1) rows[at] += left;
      else if (filter === 2) rows[at] += up;
      else if (filter === 3) rows[at] += (left + up) >> 1;
      else rows[at] += paeth(left, up, row > 0 && at - start >= step ? rows[at - line - step] : 0);
    }
  }
  return true;
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Writes the samples of one line of a pass to their places. */
function spread(
  line: Uint8Array,
  width: number,
  channels: number,
  bits: number,
  samples: Uint8Array | Uint16Array,
  start: number,
  step: number,
): void {
  for (let pixel = 0; pixel < width; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const index = pixel * channels + channel;
      let value: number;
      if (bits === 16) value = line[2 * index] * 256 + line[2 * index + 1];
      else if (bits === 8) value = line[index];
      else value = (line[(index * bits) >> 3] >> (8 - bits - ((index * bits) & 7))) & ((1 << bits) - 1);
      samples[start + pixel * step + channel] = value;
    }
  }
}

/** Grey or colour without alpha; palettes looked up, and 1, 2 and 4 bits widened to 8. */
function finished(
  samples: Uint8Array | Uint16Array,
  header: Header,
  channels: number,
  palette: Uint8Array | null,
  hasTransparency: boolean,
  orientation: number,
): Picture {
  const { width, height, kind } = header;
  const pixels = width * height;
  const picture = { height, width, orientation, bits: header.bits === 16 ? 16 : 8, depth: describeDepth(header) };
  if (kind === 3 && palette !== null) {
    const looked = new Uint8Array(pixels * 3);
    for (let at = 0; at < pixels; at++) looked.set(palette.subarray(3 * samples[at], 3 * samples[at] + 3), 3 * at);
    return { ...picture, samples: looked, channels: 3, isTransparent: hasTransparency };
  }
  if (channels === 1 || channels === 3) {
    if (header.bits < 8) {
      const gain = 255 / ((1 << header.bits) - 1);
      for (let at = 0; at < samples.length; at++) samples[at] *= gain;
    }
    return { ...picture, samples, channels, isTransparent: hasTransparency };
  }
  const kept = channels - 1 === 1 ? 1 : 3;
  const opaque = header.bits === 16 ? 65535 : 255;
  const values = header.bits === 16 ? new Uint16Array(pixels * kept) : new Uint8Array(pixels * kept);
  let isTransparent = false;
  for (let at = 0; at < pixels; at++) {
    for (let channel = 0; channel < kept; channel++) values[at * kept + channel] = samples[at * channels + channel];
    isTransparent ||= samples[at * channels + kept] !== opaque;
  }
  return { ...picture, samples: values, channels: kept, isTransparent };
}

function describeDepth({ bits, kind }: Header): string {
  if (kind === 3) return "palette";
  if (kind === 2 || kind === 6) return bits === 16 ? "colour of 16 bits" : "colour";
  return `${bits === 2 || bits === 4 ? 8 : bits}-bit grey`;
}

/** The orientation in EXIF data, 1 (upright) to 8, 1 if absent. */
export function readOrientation(exif: Uint8Array): number {
  if (exif.length < 14) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const isLittle = exif[0] === 0x49;
  const start = view.getUint32(4, isLittle);
  if (start + 2 > exif.length) return 1;
  const count = view.getUint16(start, isLittle);
  for (let at = start + 2; at < start + 2 + 12 * count && at + 12 <= exif.length; at += 12) {
    if (view.getUint16(at, isLittle) !== 0x0112) continue;
    const value = view.getUint16(at + 8, isLittle);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
