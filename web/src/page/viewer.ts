/** The image view: places an image on the screen, and follows pointer, wheel and touch. */

import { buildPyramid, firstWindow, turnImage, type Level } from "../view/pyramid";
import { drawOverlay, paintOverlay, type Shown } from "../view/overlay";
import { createRenderer, type Placement, type Renderer } from "../view/renderer";
import type { DeepImage } from "./source";

export type Tool = "window" | "pan";

/** How the image is shown; low and high are of the window. */
export interface ViewState {
  zoom: number;
  low: number;
  high: number;
  isInverted: boolean;
  /** Turned clockwise. */
  quarters: number;
}

const CLOSEST = 16;

/** The part of an image in the middle of the view, and the zoom over that of the fitted image. */
interface Place {
  x: number;
  y: number;
  zoom: number;
}

export class Viewer {
  tool: Tool = "window";
  /** A view that shows the same part of its own image. */
  linked: Viewer | null = null;
  private renderer: Renderer;
  private levels: Level[] = [];
  /** As it was read, and as it is turned. */
  private upright: DeepImage | null = null;
  private image: DeepImage | null = null;
  private quarters = 0;
  private scale = 1;
  /** Of the image, at the middle of the view. */
  private centre = { x: 0, y: 0 };
  private range: [number, number] = [0, 65535];
  private isInverted = false;
  private isFitted = true;
  private shown: Shown | null = null;
  private frame = 0;
  private readonly pointers = new Map<number, { x: number; y: number }>();

  constructor(
    private readonly stage: HTMLElement,
    private canvas: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
    private readonly report: (state: ViewState) => void,
  ) {
    this.renderer = createRenderer(canvas, false);
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.useCanvas();
    });
    new ResizeObserver(() => {
      this.resize();
    }).observe(stage);
    stage.addEventListener("pointerdown", this.press);
    stage.addEventListener("pointermove", this.move);
    for (const kind of ["pointerup", "pointercancel"] as const) stage.addEventListener(kind, this.release);
    stage.addEventListener("wheel", this.roll, { passive: false });
    stage.addEventListener("dblclick", () => {
      this.fit();
      this.linked?.fit();
    });
    stage.addEventListener("contextmenu", (event) => {
      event.preventDefault();
    });
  }

  get kind(): string {
    return this.renderer.kind;
  }

  /** Shows an image as its file wants it shown, fitted into the view; null shows none. */
  show(image: DeepImage | null): void {
    this.upright = image;
    this.shown = null;
    this.reset();
  }

  setOverlay(shown: Shown | null): void {
    this.shown = shown;
    this.draw();
  }

  /** Window, polarity, turn and place as at first. */
  reset(): void {
    if (this.upright !== null) this.range = firstWindow(this.upright);
    this.isInverted = false;
    this.turnTo(0);
  }

  /** Turn by a quarter, clockwise. */
  turn(): void {
    this.turnTo((this.quarters + 1) % 4);
  }

  fit(): void {
    this.isFitted = true;
    if (this.image !== null) {
      this.scale = this.fittedScale(this.image);
      this.centre = { x: this.image.width / 2, y: this.image.height / 2 };
    }
    this.draw();
  }

  /** One pixel of the image on one of the screen. */
  fullSize(): void {
    this.zoomBy(1 / this.scale, this.canvas.width / 2, this.canvas.height / 2);
  }

  zoom(factor: number): void {
    this.zoomBy(factor, this.canvas.width / 2, this.canvas.height / 2);
  }

  invert(): void {
    this.isInverted = !this.isInverted;
    this.draw();
  }

  /** A picture of the whole image with what is drawn over it, at its own size, or smaller where that is huge. */
  picture(longest = 2048): HTMLCanvasElement | null {
    if (this.image === null) return null;
    const canvas = document.createElement("canvas");
    const scale = Math.min(1, longest / Math.max(this.image.width, this.image.height));
    [canvas.width, canvas.height] = [Math.round(this.image.width * scale), Math.round(this.image.height * scale)];
    const renderer = createRenderer(canvas, true);
    renderer.setImage(this.levels);
    const placement = { ...this.placement(), scale, left: 0, top: 0 };
    renderer.draw(placement);
    const context = canvas.getContext("2d");
    if (context !== null && this.shown !== null) paintOverlay(context, this.shown, placement);
    return canvas;
  }

  private turnTo(quarters: number): void {
    const turned = this.upright === null ? null : turnImage(this.upright, quarters);
    this.quarters = quarters;
    if (turned !== this.image) {
      this.image = turned;
      this.levels = turned === null ? [] : buildPyramid(turned);
      if (turned !== null && Math.max(turned.height, turned.width) > this.renderer.longestSide) this.useCanvas();
      this.renderer.setImage(this.levels);
    }
    this.fit();
  }

  private useCanvas(): void {
    const fresh = this.canvas.cloneNode() as HTMLCanvasElement;
    this.canvas.replaceWith(fresh);
    this.canvas = fresh;
    this.renderer = createRenderer(fresh, true);
    this.renderer.setImage(this.levels);
    this.draw();
  }

  private resize(): void {
    const ratio = window.devicePixelRatio;
    const { clientWidth, clientHeight } = this.stage;
    for (const canvas of [this.canvas, this.overlay]) {
      [canvas.width, canvas.height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    }
    if (this.isFitted) this.fit();
    else this.draw();
  }

  private placement(): Placement {
    const { width, height } = this.canvas;
    const left = width / 2 - this.centre.x * this.scale;
    const top = height / 2 - this.centre.y * this.scale;
    const [low, high] = this.range;
    return { scale: this.scale, left, top, low, high, isInverted: this.isInverted, quarters: this.quarters };
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      const placement = this.placement();
      this.renderer.draw(placement);
      const nothing: Shown = { heat: null, opacity: 0, outline: null, height: 1, width: 1 };
      drawOverlay(this.overlay, this.shown ?? nothing, placement);
      const [low, high] = this.range;
      const { isInverted, quarters } = this;
      this.report({ zoom: this.scale / window.devicePixelRatio, low, high, isInverted, quarters });
    });
  }

  private zoomBy(factor: number, x: number, y: number): void {
    if (this.image === null) return;
    const least = 0.5 * this.fittedScale(this.image);
    const scale = Math.min(CLOSEST, Math.max(Math.min(least, 1), this.scale * factor));
    const away = { x: x - this.canvas.width / 2, y: y - this.canvas.height / 2 };
    this.centre.x += away.x / this.scale - away.x / scale;
    this.centre.y += away.y / this.scale - away.y / scale;
    this.scale = scale;
    this.isFitted = false;
    this.draw();
    this.lead();
  }

  private fittedScale(image: DeepImage): number {
    return Math.min(this.canvas.width / image.width, this.canvas.height / image.height);
  }

  /** Moves the linked view to where this one is. */
  private lead(): void {
    if (this.image === null) return;
    const { width, height } = this.image;
    const zoom = this.scale / this.fittedScale(this.image);
    this.linked?.follow({ x: this.centre.x / width, y: this.centre.y / height, zoom });
  }

  private follow({ x, y, zoom }: Place): void {
    if (this.image === null) return;
    this.scale = zoom * this.fittedScale(this.image);
    this.centre = { x: x * this.image.width, y: y * this.image.height };
    this.isFitted = false;
    this.draw();
  }

  private panBy(x: number, y: number): void {
    if (this.image === null) return;
    this.centre.x = Math.min(this.image.width, Math.max(0, this.centre.x - x / this.scale));
    this.centre.y = Math.min(this.image.height, Math.max(0, this.centre.y - y / this.scale));
    this.isFitted = false;
    this.draw();
    this.lead();
  }

  /** Across changes the width of the window, down its level; a whole view is the present width or so. */
  private windowBy(x: number, y: number): void {
    const [low, high] = this.range;
    const width = high - low;
    const speed = Math.max(width, 2048) / 400 / window.devicePixelRatio;
    const wider = Math.min(131070, Math.max(64, width + 2 * x * speed));
    const centre = Math.min(65535, Math.max(0, (low + high) / 2 + y * speed));
    this.range = [centre - wider / 2, centre + wider / 2];
    this.draw();
  }

  private readonly press = (event: PointerEvent): void => {
    if (this.image === null) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };

  private readonly move = (event: PointerEvent): void => {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) return;
    const ratio = window.devicePixelRatio;
    const [x, y] = [(event.clientX - before.x) * ratio, (event.clientY - before.y) * ratio];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other !== undefined) {
      const apart = (at: { x: number; y: number }): number => Math.hypot(at.x - other.x, at.y - other.y);
      const box = this.stage.getBoundingClientRect();
      const middle = [(event.clientX + other.x) / 2 - box.left, (event.clientY + other.y) / 2 - box.top];
      const factor = apart({ x: event.clientX, y: event.clientY }) / Math.max(1, apart(before));
      this.zoomBy(factor, middle[0] * ratio, middle[1] * ratio);
      this.panBy(x / 2, y / 2);
    } else if (event.buttons !== 1 || event.shiftKey || this.tool === "pan") this.panBy(x, y);
    else this.windowBy(x, y);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  };

  private readonly release = (event: PointerEvent): void => {
    this.pointers.delete(event.pointerId);
  };

  private readonly roll = (event: WheelEvent): void => {
    event.preventDefault();
    const box = this.stage.getBoundingClientRect();
    const ratio = window.devicePixelRatio;
    const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015));
    this.zoomBy(factor, (event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
  };
}
