/** The stored values of a DICOM image: the header is checked first, then one frame is decoded. */

import dicomParser, { type DataSet } from "dicom-parser";

import { bytesOf, element, integer, label, type Keyword } from "./attributes";
import { decodeLossless, type CodecName, type Codecs } from "./codecs";
import { readFrameHeader, type FrameHeader } from "./codestream";
import { checkSize, fault, ReadingError } from "./faults";
import type { Raster } from "./radiograph";
import { decodeRle } from "./rle";
import { findSign } from "./signedness";
import { EXPLICIT_BIG_ENDIAN, SYNTAXES, type Syntax } from "./syntaxes";

const BITS_ALLOCATED: Partial<Record<Keyword, number[]>> = {
  PixelData: [8, 16, 32],
  FloatPixelData: [32],
  DoubleFloatPixelData: [64],
};

export const PIXEL_KEYWORDS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"] as const;

interface Layout {
  height: number;
  width: number;
  allocated: number;
  stored: number;
  high: number;
  isSigned: boolean;
}

/** Stored values of a single-frame monochrome image; bits outside Bits Stored (0028,0101) are dropped. */
export async function readFrame(
  dataset: DataSet,
  uid: string,
  name: string,
  codecs: Codecs,
  warnings: string[],
): Promise<Raster> {
  const keyword = PIXEL_KEYWORDS.find((each) => element(dataset, each) !== undefined) ?? "PixelData";
  const height = integer(dataset, "Rows", name);
  const width = integer(dataset, "Columns", name);
  checkSize(name, height, width);
  const samples = integer(dataset, "SamplesPerPixel", name);
  demand(samples === 1, name, `${label("SamplesPerPixel")} is ${samples}`, "a grey image has 1");
  const allocated = integer(dataset, "BitsAllocated", name);
  const accepted = BITS_ALLOCATED[keyword] ?? [];
  const problem = `${label("BitsAllocated")} is ${allocated}`;
  demand(accepted.includes(allocated), name, problem, `${accepted.join(" or ")} is accepted`);
  const layout = { height, width, allocated, stored: allocated, high: allocated - 1, isSigned: false };
  if (keyword === "PixelData") Object.assign(layout, readBits(dataset, allocated, name));
  const syntax = SYNTAXES[uid];
  if (syntax === undefined) {
    const remedy = "send it uncompressed, or as JPEG, JPEG-LS, JPEG 2000 or RLE";
    throw fault("UNREADABLE", name, "no decoder for this transfer syntax", remedy);
  }
  const found = element(dataset, keyword);
  if (found === undefined) throw fault("NO_PIXELS", name, "the DICOM file holds no pixel data", "it is truncated");
  try {
    if (syntax.codec === null) {
      return readPlain(dataset, keyword, layout, uid === EXPLICIT_BIG_ENDIAN, name, warnings);
    }
    if (found.fragments === undefined) throw new RangeError("the pixel data is not encapsulated");
    const count = found.fragments.length;
    const frame = dicomParser.readEncapsulatedPixelDataFromFragments(dataset, found, 0, count) as Uint8Array;
    return await decodeFrame(frame, syntax, layout, name, codecs, warnings);
  } catch (error) {
    if (error instanceof ReadingError) throw error;
    const remedy = "the file is damaged or of an unsupported kind";
    throw fault("UNREADABLE", name, `reading the ${syntax.name} frame failed`, remedy);
  }
}

function readBits(dataset: DataSet, allocated: number, name: string): Partial<Layout> {
  const stored = integer(dataset, "BitsStored", name);
  const high = integer(dataset, "HighBit", name, stored - 1);
  const sign = integer(dataset, "PixelRepresentation", name);
  let problem = `${label("BitsStored")} is ${stored} of ${allocated} allocated`;
  demand(stored >= 1 && stored <= allocated, name, problem, "it cannot be more");
  problem = `${label("HighBit")} is ${high} for ${stored} bits stored of ${allocated}`;
  demand(high >= stored - 1 && high < allocated, name, problem, "it is usually one less than the bits stored");
  demand(sign === 0 || sign === 1, name, `${label("PixelRepresentation")} is ${sign}`, "0 or 1 is accepted");
  return { stored, high, isSigned: sign === 1 };
}

/** Uncompressed pixels; big-endian 8-bit ones lie in words whose bytes are swapped. */
function readPlain(
  dataset: DataSet,
  keyword: Keyword,
  layout: Layout,
  isBigEndian: boolean,
  name: string,
  warnings: string[],
): Raster {
  const found = element(dataset, keyword);
  const size = (layout.height * layout.width * layout.allocated) / 8;
  if (found === undefined || found.length < size) {
    const problem = `the pixel data is ${found?.length ?? 0} bytes of ${size}`;
    throw fault("UNREADABLE", name, problem, "the file is truncated or its header is wrong");
  }
  if (isBigEndian && layout.allocated === 8) {
    const problem = "8-bit pixels in big-endian order are not read in the browser";
    throw fault("UNREADABLE", name, problem, "send it as Explicit VR Little Endian, or use `cxrnet screen`");
  }
  const inside = bytesOf(dataset).subarray(found.dataOffset, found.dataOffset + size);
  const bytes = keyword === "PixelData" && !isBigEndian ? inside : inside.slice();
  if (isBigEndian) swap(bytes, layout.allocated / 8);
  if (keyword === "FloatPixelData") return { ...layout, values: new Float32Array(bytes.buffer) };
  if (keyword === "DoubleFloatPixelData") return { ...layout, values: new Float64Array(bytes.buffer) };
  return withRightSign(bytes, layout, layout.high + 1 - layout.stored, warnings);
}

function swap(bytes: Uint8Array, width: number): void {
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

async function decodeFrame(
  frame: Uint8Array,
  syntax: Syntax,
  layout: Layout,
  name: string,
  codecs: Codecs,
  warnings: string[],
): Promise<Raster> {
  const pixels = layout.height * layout.width;
  if (syntax.codec === "rle") {
    const values = decodeRle(frame, pixels, layout.allocated / 8);
    return withRightSign(asBytes(values), layout, layout.high + 1 - layout.stored, warnings);
  }
  const header = readFrameHeader(frame);
  checkHeader(header, layout, name);
  if (syntax.codec === "lossless") {
    return withRightSign(widened(decodeLossless(frame), layout, pixels), layout, 0, warnings);
  }
  if (syntax.codec === "libjpegturbo" && header?.bits !== 8) {
    const problem = `JPEG of ${header?.bits ?? "unknown"} bits is not read in the browser`;
    throw fault("UNREADABLE", name, problem, "send it uncompressed or as JPEG 2000, or use `cxrnet screen`");
  }
  const decoded = await codecs.decode(syntax.codec as CodecName, frame);
  demand(decoded.components === 1, name, `the frame has ${decoded.components} components`, "a grey image has 1");
  const bytes = widened(decoded.bytes, layout, pixels);
  if (syntax.codec !== "openjpeg") return withRightSign(bytes, layout, 0, warnings);
  const coded = { ...layout, stored: Math.min(header.bits, layout.allocated) };
  return withRightSign(bytes, coded, 0, warnings, header.isSigned);
}

/** The values, signed or not as the picture shows them to be where header, codestream and pixels contradict. */
function withRightSign(
  bytes: Uint8Array<ArrayBuffer>,
  layout: Layout,
  shift: number,
  warnings: string[],
  isCodedSigned = layout.isSigned,
): Raster {
  const declared = shaped(bytes, layout, shift);
  const isSigned = findSign(declared, layout.stored, layout.isSigned);
  if (isSigned === layout.isSigned && isCodedSigned === layout.isSigned) return declared;
  const sign = isSigned ? "signed" : "unsigned";
  warnings.push(`${label("PixelRepresentation")} contradicts the pixels, which were read as ${sign}`);
  return isSigned === layout.isSigned ? declared : shaped(bytes, { ...layout, isSigned }, shift);
}

/** The frame is of the size that the DICOM header says, and grey. */
function checkHeader(header: FrameHeader | null, layout: Layout, name: string): asserts header is FrameHeader {
  if (header === null) {
    throw fault("UNREADABLE", name, "the compressed frame has no valid header", "the file is damaged");
  }
  const said = `the header says ${layout.width} x ${layout.height}`;
  const problem = `the compressed frame is ${header.width} x ${header.height}, ${said}`;
  demand(header.height === layout.height && header.width === layout.width, name, problem, "the two must agree");
  demand(header.components === 1, name, `the frame has ${header.components} components`, "a grey image has 1");
}

/** Decoded bytes at the width of Bits Allocated. */
function widened(bytes: Uint8Array<ArrayBuffer>, layout: Layout, pixels: number): Uint8Array<ArrayBuffer> {
  if (bytes.length === (pixels * layout.allocated) / 8) return bytes;
  if (bytes.length === pixels && layout.allocated === 16) return asBytes(Uint16Array.from(bytes));
  if (bytes.length === 2 * pixels && layout.allocated === 8) {
    return Uint8Array.from(new Uint16Array(bytes.buffer));
  }
  throw new RangeError(`the frame has ${bytes.length} bytes for ${pixels} pixels`);
}

function asBytes(values: Uint8Array | Uint16Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}

/** Numbers of little-endian bytes: the stored bits of each, signed where the header says so. */
function shaped(bytes: Uint8Array<ArrayBuffer>, layout: Layout, shift: number): Raster {
  const { height, width, allocated, stored, isSigned } = layout;
  const own = bytes.byteOffset % (allocated / 8) === 0 ? bytes : bytes.slice();
  const [buffer, offset, length] = [own.buffer, own.byteOffset, own.length / (allocated / 8)];
  const raw =
    allocated === 8
      ? new Uint8Array(buffer, offset, length)
      : allocated === 16
        ? new Uint16Array(buffer, offset, length)
        : new Uint32Array(buffer, offset, length);
  const lift = 32 - stored;
  if (allocated === 32) {
    const values = isSigned ? new Int32Array(raw.length) : new Uint32Array(raw.length);
    for (let at = 0; at < raw.length; at++) values[at] = isSigned ? ((raw[at] >>> shift) << lift) >> lift : raw[at] >>> shift;
    return { height, width, values };
  }
  if (!isSigned) {
    if (stored === allocated) return { height, width, values: raw };
    const values = new Uint16Array(length);
    const mask = 2 ** stored - 1;
    for (let at = 0; at < length; at++) values[at] = (raw[at] >>> shift) & mask;
    return { height, width, values };
  }
  const values = new Int16Array(length);
  for (let at = 0; at < length; at++) values[at] = ((raw[at] >>> shift) << lift) >> lift;
  return { height, width, values };
}

function demand(holds: boolean, name: string, problem: string, remedy: string): void {
  if (!holds) throw fault("UNREADABLE", name, problem, remedy);
}
