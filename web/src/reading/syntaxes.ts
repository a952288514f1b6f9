/** The transfer syntaxes that the page reads, as PS3.6 names them, and what decodes each. */

import type { CodecName } from "./codecs";

export interface Syntax {
  name: string;
  codec: CodecName | "lossless" | "rle" | null;
}

export const IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2";
export const EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1";
export const EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2";

export const SYNTAXES: Readonly<Record<string, Syntax | undefined>> = {
  [IMPLICIT_LITTLE_ENDIAN]: { name: "Implicit VR Little Endian", codec: null },
  [EXPLICIT_LITTLE_ENDIAN]: { name: "Explicit VR Little Endian", codec: null },
  "1.2.840.10008.1.2.1.99": { name: "Deflated Explicit VR Little Endian", codec: null },
  [EXPLICIT_BIG_ENDIAN]: { name: "Explicit VR Big Endian", codec: null },
  "1.2.840.10008.1.2.4.50": { name: "JPEG Baseline (Process 1)", codec: "libjpegturbo" },
  "1.2.840.10008.1.2.4.51": { name: "JPEG Extended (Process 2 and 4)", codec: "libjpegturbo" },
  "1.2.840.10008.1.2.4.57": { name: "JPEG Lossless, Non-Hierarchical (Process 14)", codec: "lossless" },
  "1.2.840.10008.1.2.4.70": {
    name: "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
    codec: "lossless",
  },
  "1.2.840.10008.1.2.4.80": { name: "JPEG-LS Lossless Image Compression", codec: "charls" },
  "1.2.840.10008.1.2.4.81": { name: "JPEG-LS Lossy (Near-Lossless) Image Compression", codec: "charls" },
  "1.2.840.10008.1.2.4.90": { name: "JPEG 2000 Image Compression (Lossless Only)", codec: "openjpeg" },
  "1.2.840.10008.1.2.4.91": { name: "JPEG 2000 Image Compression", codec: "openjpeg" },
  "1.2.840.10008.1.2.5": { name: "RLE Lossless", codec: "rle" },
};
