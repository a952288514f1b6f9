/** Arrays of float32 in NumPy's own form (NEP 1). */

export interface Numbers {
  values: Float32Array;
  shape: number[];
}

export function readNpy(bytes: Uint8Array | undefined): Numbers {
  if (bytes === undefined || bytes[0] !== 0x93) throw new Error("the answer of the service holds no array");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes[6] > 1;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (!header.includes("'<f4'") || header.includes("'fortran_order': True") || shape === undefined) {
    throw new Error("the answer of the service holds an array of another kind");
  }
  const sizes = shape.split(",").filter((size) => size.trim() !== "").map(Number);
  return { values: new Float32Array(bytes.slice(start + length).buffer), shape: sizes };
}
