/** What is drawn over an image: a heat map in colours, and the outline of the lungs as a line. */

import type { HeatMap } from "../inference/heatmap";
import { colourTable, type Scale } from "./colour";
import type { Placement } from "./renderer";

/** A heat map as a picture; positions outside the lungs are transparent. */
export function colourise(map: HeatMap, scale: Scale): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [map.width, map.height];
  const context = canvas.getContext("2d");
  if (context === null) return canvas;
  const image = context.createImageData(map.width, map.height);
  const table = colourTable(scale);
  map.values.forEach((value, at) => {
    if (Number.isNaN(value)) return;
    const share = scale === "sequential" ? value : (value + 1) / 2;
    const step = Math.min(255, Math.max(0, Math.floor(share * 255 + 0.5)));
    image.data.set([table[3 * step], table[3 * step + 1], table[3 * step + 2], 255], 4 * at);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Where the lung probability is 0.5, by marching squares; coordinates in parts of the image, 0 to 1. */
export function outlineLungs(probability: Float32Array, height: number, width: number): Path2D {
  const path = new Path2D();
  const value = (row: number, column: number): number => {
    if (row < 0 || column < 0 || row >= height || column >= width) return 0;
    return probability[row * width + column];
  };
  const cut = (from: number, to: number): number => (0.5 - from) / (to - from);
  for (let row = -1; row < height; row++) {
    for (let column = -1; column < width; column++) {
      const corners = [value(row, column), value(row, column + 1), value(row + 1, column + 1), value(row + 1, column)];
      const isIn = corners.map((corner) => corner > 0.5);
      if (isIn.every((one) => one === isIn[0])) continue;
      const edges: [number, number][] = [];
      if (isIn[0] !== isIn[1]) edges.push([column + cut(corners[0], corners[1]), row]);
      if (isIn[1] !== isIn[2]) edges.push([column + 1, row + cut(corners[1], corners[2])]);
      if (isIn[3] !== isIn[2]) edges.push([column + cut(corners[3], corners[2]), row + 1]);
      if (isIn[0] !== isIn[3]) edges.push([column, row + cut(corners[0], corners[3])]);
      for (let at = 0; at + 1 < edges.length; at += 2) {
        path.moveTo((edges[at][0] + 0.5) / width, (edges[at][1] + 0.5) / height);
        path.lineTo((edges[at + 1][0] + 0.5) / width, (edges[at + 1][1] + 0.5) / height);
      }
    }
  }
  return path;
}

export interface Shown {
  heat: HTMLCanvasElement | null;
  opacity: number;
  outline: Path2D | null;
  /** Of the image as it was read, in pixels. */
  height: number;
  width: number;
}

/** Draws the overlays where the image lies. */
export function drawOverlay(canvas: HTMLCanvasElement, shown: Shown, placement: Placement): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  paintOverlay(context, shown, placement);
}

/** The same on a canvas that already shows the image. */
export function paintOverlay(context: CanvasRenderingContext2D, shown: Shown, placement: Placement): void {
  const { scale, left, top, quarters } = placement;
  const [width, height] = [shown.width * scale, shown.height * scale];
  const isAcross = quarters % 2 === 1;
  const matrix = new DOMMatrix()
    .translate(left + (isAcross ? height : width) / 2, top + (isAcross ? width : height) / 2)
    .rotate(90 * quarters)
    .translate(-width / 2, -height / 2);
  if (shown.heat !== null) {
    context.setTransform(matrix);
    context.globalAlpha = shown.opacity;
    context.imageSmoothingQuality = "high";
    context.drawImage(shown.heat, 0, 0, width, height);
    context.globalAlpha = 1;
    context.resetTransform();
  }
  if (shown.outline !== null) {
    const placed = new Path2D();
    placed.addPath(shown.outline, matrix.scale(width, height));
    context.lineJoin = "round";
    for (const [colour, thickness] of [
      ["rgba(0, 0, 0, 0.55)", 3.5],
      ["rgb(120, 226, 255)", 1.5],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = thickness * Math.max(1, window.devicePixelRatio);
      context.stroke(placed);
    }
  }
}
