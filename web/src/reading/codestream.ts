/** What the header of a compressed frame says, read before any codec sees the frame. */

export interface FrameHeader {
  height: number;
  width: number;
  components: number;
  bits: number;
  isSigned: boolean;
}

const WITHOUT_LENGTH = new Set([0x01, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7]);
const NOT_A_FRAME = new Set([0xc4, 0xc8, 0xcc]);

/** The header of a JPEG, JPEG-LS or JPEG 2000 frame, null where it cannot be found. */
export function readFrameHeader(frame: Uint8Array): FrameHeader | null {
  if (frame[0] === 0xff && frame[1] === 0xd8) return readJpegHeader(frame);
  const start = isJp2(frame) ? findCodestream(frame) : 0;
  return readJpeg2000Header(frame.subarray(start));
}

function isJp2(frame: Uint8Array): boolean {
  return frame.length > 12 && frame[3] === 12 && frame[4] === 0x6a && frame[5] === 0x50;
}

/** The first SOF segment (ITU-T T.81 B.2.2; JPEG-LS T.87 C.2.2); each turn of the loop moves forward. */
function readJpegHeader(frame: Uint8Array): FrameHeader | null {
  const word = (at: number): number => frame[at] * 256 + frame[at + 1];
  let at = 2;
  while (at + 10 <= frame.length && frame[at] === 0xff) {
    const marker = frame[at + 1];
    if (marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && !NOT_A_FRAME.has(marker))) {
      return {
        height: word(at + 5),
        width: word(at + 7),
        components: frame[at + 9],
        bits: frame[at + 4],
        isSigned: false,
      };
    }
    if (marker === 0xff) at += 1;
    else if (WITHOUT_LENGTH.has(marker)) at += 2;
    else at += 2 + Math.max(word(at + 2), 2);
  }
  return null;
}

/** Where the codestream box of a JP2 file begins (T.800 I.4), the end of the frame where it has none. */
function findCodestream(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  let at = 0;
  while (at + 16 <= frame.length) {
    let length = view.getUint32(at);
    const start = at + (length === 1 ? 16 : 8);
    if (length === 1) length = Number(view.getBigUint64(at + 8));
    if (view.getUint32(at + 4) === 0x6a703263) return start;
    if (length < 8) break;
    at += length;
  }
  return frame.length;
}

/** The SIZ segment (T.800 A.5.1), which is always the second. */
function readJpeg2000Header(codestream: Uint8Array): FrameHeader | null {
  if (codestream.length < 43) return null;
  const view = new DataView(codestream.buffer, codestream.byteOffset, codestream.byteLength);
  if (view.getUint32(0) !== 0xff4fff51) return null;
  return {
    width: view.getUint32(8) - view.getUint32(16),
    height: view.getUint32(12) - view.getUint32(20),
    components: view.getUint16(40),
    bits: (codestream[42] & 0x7f) + 1,
    isSigned: codestream[42] >= 0x80,
  };
}
