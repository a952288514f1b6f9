/** RLE Lossless frames (PS3.5 Annex G). */

/**
 * Values of a grey frame: 8 or 16 bits, the most significant bytes first in segments of their own.
 *
 * @throws RangeError where the frame is damaged.
 */
export function decodeRle(frame: Uint8Array, pixels: number, bytes: number): Uint8Array | Uint16Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const segments = view.getUint32(0, true);
  if (segments !== bytes) throw new RangeError(`the RLE frame has ${segments} segments`);
  const values = bytes === 1 ? new Uint8Array(pixels) : new Uint16Array(pixels);
  for (let segment = 0; segment < segments; segment++) {
    const start = view.getUint32(4 * (segment + 1), true);
    const end = segment + 1 < segments ? view.getUint32(4 * (segment + 2), true) : frame.length;
    const plane = unpack(frame.subarray(start, end), pixels);
    const shift = 8 * (segments - 1 - segment);
    for (let at = 0; at < pixels; at++) values[at] |= plane[at] << shift;
  }
  return values;
}

function unpack(packed: Uint8Array, size: number): Uint8Array {
  const plane = new Uint8Array(size);
  let from = 0;
  let to = 0;
  while (to < size) {
    if (from >= packed.length) throw new RangeError("the RLE segment is too short");
    const head = packed[from++];
    if (head < 128) {
      plane.set(packed.subarray(from, from + Math.min(head + 1, size - to)), to);
      from += head + 1;
      to += head + 1;
    } else if (head > 128) {
      plane.fill(packed[from++], to, Math.min(to + 257 - head, size));
      to += 257 - head;
    }
  }
  return plane;
}
