/** Why a file is not a readable radiograph: the codes and the form of `cxrnet.imaging.radiograph.Fault`. */

export type FaultCode =
  | "UNREADABLE"
  | "NO_PIXELS"
  | "MULTI_FRAME"
  | "COLOUR"
  | "CONSTANT"
  | "TOO_SMALL"
  | "TOO_LARGE"
  | "DECODER_TIME"
  | "DECODER_DIED"
  | "INTERNAL";

export class ReadingError extends Error {
  constructor(
    readonly code: FaultCode,
    message: string,
  ) {
    super(message);
  }
}

const LONGEST_NAME = 255;

/** Text fit for a page: control characters and what turns the writing direction are escaped. */
export function printable(text: string): string {
  return text
    .slice(0, LONGEST_NAME)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u${(one.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}

/** The error for the input `name`: one line, `<name>: <problem>; <remedy>`. */
export function fault(code: FaultCode, name: string, problem: string, remedy: string): ReadingError {
  return new ReadingError(code, `${printable(name)}: ${problem}; ${remedy}`);
}

export const LIMITS = { pixels: 50_000_000, side: 64, fileBytes: 512 * 2 ** 20 } as const;

/** Refuses an image with more pixels, or a shorter side, than the limits allow. */
export function checkSize(name: string, height: number, width: number): void {
  const size = `${width} x ${height} pixels`;
  if (Math.min(height, width) < LIMITS.side) {
    throw fault("TOO_SMALL", name, `the image is ${size}`, `each side must be at least ${LIMITS.side} pixels`);
  }
  if (height * width > LIMITS.pixels) {
    throw fault("TOO_LARGE", name, `the image is ${size}`, `at most ${LIMITS.pixels} pixels are read`);
  }
}
