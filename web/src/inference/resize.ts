/** The two ways of resizing that the networks were trained with, step by step as OpenCV takes them in float32. */

/** Numbers row by row. */
export interface Grid {
  values: Float32Array;
  height: number;
  width: number;
}

/** Number of a source pixel, number of the target pixel that takes a part of it, and the part. */
interface Share {
  from: number;
  to: number;
  part: number;
}

/** Pixels averaged over areas along an axis that shrinks, then linear along one that grows; as `prepare` does it. */
export function resizeArea(grid: Grid, toHeight: number, toWidth: number): Float32Array {
  const height = Math.min(grid.height, toHeight);
  const width = Math.min(grid.width, toWidth);
  return resizeLinear({ values: shrink(grid, height, width), height, width }, toHeight, toWidth);
}

/** Bilinear: half-pixel centres, edges repeated. */
export function resizeLinear(grid: Grid, toHeight: number, toWidth: number): Float32Array {
  const { values, height, width } = grid;
  if (height === toHeight && width === toWidth) return values;
  const across = positions(width, toWidth);
  const down = positions(height, toHeight);
  const lines = new Map<number, Float32Array>();
  const line = (row: number): Float32Array => {
    let found = lines.get(row);
    if (found === undefined) {
      found = new Float32Array(toWidth);
      const start = row * width;
      for (let at = 0; at < toWidth; at++) {
        const from = start + across.first[at];
        const second = Math.fround(values[start + across.second[at]] * across.weight[at]);
        found[at] = Math.fround(values[from] * Math.fround(1 - across.weight[at])) + second;
      }
      lines.set(row, found);
      if (lines.size > 4) lines.delete(lines.keys().next().value ?? -1);
    }
    return found;
  };
  const result = new Float32Array(toHeight * toWidth);
  for (let row = 0; row < toHeight; row++) {
    const upper = line(down.first[row]);
    const lower = line(down.second[row]);
    const weight = down.weight[row];
    const rest = Math.fround(1 - weight);
    for (let at = 0; at < toWidth; at++) {
      result[row * toWidth + at] = Math.fround(upper[at] * rest) + Math.fround(lower[at] * weight);
    }
  }
  return result;
}

function positions(size: number, toSize: number): { first: Int32Array; second: Int32Array; weight: Float32Array } {
  const scale = 1 / (toSize / size);
  const first = new Int32Array(toSize);
  const second = new Int32Array(toSize);
  const weight = new Float32Array(toSize);
  for (let to = 0; to < toSize; to++) {
    const place = Math.fround((to + 0.5) * scale - 0.5);
    const from = Math.floor(place);
    const isInside = from >= 0 && from < size - 1;
    first[to] = Math.min(size - 1, Math.max(0, from));
    second[to] = isInside ? from + 1 : first[to];
    weight[to] = isInside ? Math.fround(place - from) : 0;
  }
  return { first, second, weight };
}

function shrink(grid: Grid, toHeight: number, toWidth: number): Float32Array {
  const { values, height, width } = grid;
  if (height === toHeight && width === toWidth) return values;
  const across = 1 / (toWidth / width);
  const down = 1 / (toHeight / height);
  if (isWhole(across) && isWhole(down)) return averageBlocks(grid, toHeight, toWidth);
  const columns = shares(width, toWidth, across);
  const froms = Int32Array.from(columns, ({ from }) => from);
  const targets = Int32Array.from(columns, ({ to }) => to);
  const parts = Float32Array.from(columns, ({ part }) => part);
  const result = new Float32Array(toHeight * toWidth);
  const sums = new Float32Array(toWidth);
  const line = new Float32Array(toWidth);
  let row = -1;
  for (const { from, to, part } of shares(height, toHeight, down)) {
    line.fill(0);
    const start = from * width;
    for (let at = 0; at < froms.length; at++) {
      line[targets[at]] += Math.fround(values[start + froms[at]] * parts[at]);
    }
    if (to !== row) {
      if (row >= 0) result.set(sums, row * toWidth);
      for (let at = 0; at < toWidth; at++) sums[at] = part * line[at];
      row = to;
    } else {
      for (let at = 0; at < toWidth; at++) sums[at] += Math.fround(part * line[at]);
    }
  }
  result.set(sums, row * toWidth);
  return result;
}

/** How whole source pixels and their parts are shared out to target pixels along one axis. */
function shares(size: number, toSize: number, scale: number): Share[] {
  const found: Share[] = [];
  for (let to = 0; to < toSize; to++) {
    const start = to * scale;
    const end = start + scale;
    const cell = Math.min(scale, size - start);
    const last = Math.min(Math.floor(end), size - 1);
    const first = Math.min(Math.ceil(start), last);
    if (first - start > 1e-3) found.push({ from: first - 1, to, part: Math.fround((first - start) / cell) });
    for (let from = first; from < last; from++) found.push({ from, to, part: Math.fround(1 / cell) });
    if (end - last > 1e-3) {
      found.push({ from: last, to, part: Math.fround(Math.min(Math.min(end - last, 1), cell) / cell) });
    }
  }
  return found;
}

/** Blocks of whole pixels: their sum in float32, then one multiplication. */
function averageBlocks({ values, height, width }: Grid, toHeight: number, toWidth: number): Float32Array {
  const across = Math.round(width / toWidth);
  const down = Math.round(height / toHeight);
  const area = across * down;
  const part = Math.fround(1 / area);
  const offsets: number[] = [];
  for (let row = 0; row < down; row++) for (let column = 0; column < across; column++) offsets.push(row * width + column);
  const sum = across === 2 && down === 2 ? sumByRows : sumByFours;
  const result = new Float32Array(toHeight * toWidth);
  for (let row = 0; row < toHeight; row++) {
    for (let column = 0; column < toWidth; column++) {
      result[row * toWidth + column] = sum(values, row * down * width + column * across, offsets) * part;
    }
  }
  return result;
}

/** Four at a time, as OpenCV adds up a block. */
function sumByFours(values: Float32Array, start: number, offsets: number[]): number {
  let sum = 0;
  let at = 0;
  for (; at + 4 <= offsets.length; at += 4) {
    let four = Math.fround(values[start + offsets[at]] + values[start + offsets[at + 1]]);
    four = Math.fround(four + values[start + offsets[at + 2]]);
    sum = Math.fround(sum + Math.fround(four + values[start + offsets[at + 3]]));
  }
  for (; at < offsets.length; at++) sum = Math.fround(sum + values[start + offsets[at]]);
  return sum;
}

/** Two sums of two, as OpenCV adds up a block of 2 x 2. */
function sumByRows(values: Float32Array, start: number, [first, second, third, fourth]: number[]): number {
  const upper = Math.fround(values[start + first] + values[start + second]);
  return Math.fround(upper + Math.fround(values[start + third] + values[start + fourth]));
}

function isWhole(scale: number): boolean {
  return Math.abs(scale - Math.round(scale)) < Number.EPSILON;
}
