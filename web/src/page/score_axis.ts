/** Scores on an axis from 0 to 1: folds as dots, the interval as a bar, the ensemble as a line, operating points. */

import { draw } from "./elements";

const WIDTH = 280;
const LABELS_TOP = 31;
const LINE_HEIGHT = 9;
/** Width of one letter of a label, about. */
const LETTER = 4.4;

interface Label {
  name: string;
  x: number;
  line: number;
}

export function scoreAxis(
  score: number,
  folds: number[],
  interval: [number, number] | null,
  points: Record<string, number>,
): SVGSVGElement {
  const label = `Score ${score.toFixed(3)}; folds ${folds.map((fold) => fold.toFixed(3)).join(", ")}`;
  const parts: SVGElement[] = [
    draw("line", { x1: at(0), x2: at(1), y1: 16, y2: 16, class: "axis" }),
    ...[0, 0.25, 0.5, 0.75, 1].map((tick) => draw("line", { x1: at(tick), x2: at(tick), y1: 16, y2: 20, class: "axis" })),
  ];
  const labels = placeLabels(points);
  for (const { name, x, line } of labels) {
    const y = LABELS_TOP + LINE_HEIGHT * line;
    parts.push(
      draw(
        "g",
        { class: "point" },
        draw("line", { x1: at(points[name]), x2: at(points[name]), y1: 6, y2: y - 8 }),
        draw("title", {}, `operating point ${name}: ${points[name].toFixed(3)}`),
        draw("text", { x, y, "text-anchor": "middle" }, name),
      ),
    );
  }
  if (interval !== null) {
    const [low, high] = interval;
    parts.push(draw("rect", { x: at(low), width: Math.max(2, at(high) - at(low)), y: 12, height: 8, rx: 2, class: "interval" }));
  }
  parts.push(...folds.map((fold) => draw("circle", { cx: at(fold), cy: 16, r: 3, class: "fold" })));
  parts.push(draw("line", { x1: at(score), x2: at(score), y1: 7, y2: 25, class: "ensemble" }));
  const lines = labels.reduce((most, { line }) => Math.max(most, line + 1), 0);
  const height = lines > 0 ? LABELS_TOP + 3 + LINE_HEIGHT * (lines - 1) : 26;
  return draw("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label, class: "axis-plot" }, ...parts);
}

function at(value: number): number {
  return 6 + (WIDTH - 12) * value;
}

/** Labels inside the picture, each on the first line where it touches no other, from right to left. */
function placeLabels(points: Record<string, number>): Label[] {
  const starts: number[] = [];
  return Object.entries(points)
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => {
      const half = (LETTER * name.length) / 2;
      const x = Math.min(WIDTH - half, Math.max(half, at(value)));
      let line = starts.findIndex((start) => x + half < start);
      if (line === -1) line = starts.length;
      starts[line] = x - half - LETTER;
      return { name, x, line };
    });
}
