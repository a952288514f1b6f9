/** Any file to a radiograph; the first bytes decide, not the name. */

import type { Terms } from "./defined_terms";
import type { Codecs } from "./codecs";
import { isDicom, readDicom } from "./dicom";
import { fault, LIMITS } from "./faults";
import { isPng } from "./png";
import { isJpeg, readPicture } from "./raster";
import type { Radiograph } from "./radiograph";

/** @throws ReadingError where the file is not a radiograph that can be read here. */
export async function readRadiograph(bytes: Uint8Array<ArrayBuffer>, name: string, terms: Terms, codecs: Codecs): Promise<Radiograph> {
  if (bytes.length === 0) throw fault("UNREADABLE", name, "the file is empty", "copy or export it again");
  if (bytes.length > LIMITS.fileBytes) {
    const remedy = `at most ${LIMITS.fileBytes} bytes are read`;
    throw fault("TOO_LARGE", name, `the file is ${bytes.length} bytes`, remedy);
  }
  if (isPng(bytes) || isJpeg(bytes)) return readPicture(bytes, name, sha256(bytes), codecs);
  if (isDicom(bytes)) return readDicom(bytes, name, sha256(bytes), terms, codecs);
  const other = otherFormat(bytes);
  if (other !== null) {
    const remedy = "save it as PNG, or use `cxrnet screen`";
    throw fault("UNREADABLE", name, `${other} is not read in the browser`, remedy);
  }
  const remedy = "DICOM, PNG and JPEG files are accepted here";
  throw fault("UNREADABLE", name, "the file is not in a known image format", remedy);
}

function otherFormat(bytes: Uint8Array): string | null {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return "TIFF";
  if (start.startsWith("RIFF") && start.slice(8) === "WEBP") return "WebP";
  if (start.startsWith("BM")) return "BMP";
  return start.startsWith("GIF8") ? "GIF" : null;
}

/** Computed in a thread of the browser, while the file is read. */
async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle;
  if (subtle === undefined) return null;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
