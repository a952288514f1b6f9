/** Colour scales that stay in order on a grey screen and for colour-blind eyes, as the panels of `cxrnet screen`. */

type Stop = readonly [number, number, number];

/** viridis at seventeen places. */
const SEQUENTIAL: readonly Stop[] = [
  [68, 1, 84], [72, 24, 106], [71, 45, 123], [66, 64, 134], [59, 82, 139], [51, 99, 141], [44, 114, 142],
  [38, 130, 142], [33, 145, 140], [31, 160, 136], [40, 174, 128], [63, 188, 115], [94, 201, 98], [132, 212, 75],
  [173, 220, 48], [216, 226, 25], [253, 231, 37],
]; // prettier-ignore

/** Dark blue against, grey for neither, light amber for. */
const DIVERGING: readonly Stop[] = [
  [6, 24, 110],
  [44, 82, 178],
  [122, 122, 124],
  [232, 150, 48],
  [255, 230, 120],
];

export type Scale = "sequential" | "diverging";

/** 256 colours, red, green and blue of each. */
export function colourTable(scale: Scale): Uint8Array {
  const stops = scale === "sequential" ? SEQUENTIAL : DIVERGING;
  const table = new Uint8Array(256 * 3);
  for (let step = 0; step < 256; step++) {
    const place = (step / 255) * (stops.length - 1);
    const at = Math.min(stops.length - 2, Math.floor(place));
    for (let channel = 0; channel < 3; channel++) {
      const [from, to] = [stops[at][channel], stops[at + 1][channel]];
      table[3 * step + channel] = Math.round(from + (place - at) * (to - from));
    }
  }
  return table;
}
