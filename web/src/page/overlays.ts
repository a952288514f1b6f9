/** Which overlays are shown over the image, and the controls for them. */

import { difference, heatMaps } from "../inference/heatmap";
import { colourTable } from "../view/colour";
import { colourise, outlineLungs, type Shown } from "../view/overlay";
import { find, make } from "./elements";
import type { OpenedImage, ShownModel } from "./source";

/** Heat maps are drawn at this many times the size of the prepared image. */
const FINER = 2;

/** One image that overlays are drawn on, with the model that they are of. */
interface Layer {
  opened: OpenedImage;
  model: ShownModel;
  outline: Path2D | null;
}

export class Overlays {
  private map: number | null = null;
  private hasOutline = true;
  /** Lungs of a refused image are hardly lungs: they are shown on request. */
  private hasRefusedOutline = false;
  private isHidden = false;
  private fold: number | null = null;
  private main: Layer | null = null;
  private second: Layer | null = null;
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly names: string[];
  private readonly slider = find("opacity") as HTMLInputElement;
  private readonly folds = find("fold") as HTMLSelectElement;

  constructor(
    private readonly model: ShownModel,
    private readonly changed: (shown: Shown | null) => void,
    private readonly secondChanged: (shown: Shown | null) => void,
  ) {
    this.names = [...model.classes, ...(model.classes.length === 2 ? ["difference"] : [])];
    this.names.forEach((name, at) => {
      const title = name === "difference" ? `${model.classes.join(" minus ")} (${at + 1})` : `Heat map of ${name} (${at + 1})`;
      const button = make("button", { type: "button", "aria-pressed": "false", title, "data-map": name }, name);
      button.addEventListener("click", () => {
        this.toggleMap(at);
      });
      this.buttons.push(button);
      find("overlays").append(button);
    });
    this.folds.append(make("option", { value: "" }, "all"));
    for (let fold = 0; fold < model.folds; fold++) this.folds.append(make("option", { value: fold }, String(fold + 1)));
    this.folds.addEventListener("change", () => {
      this.fold = this.folds.value === "" ? null : Number(this.folds.value);
      this.update();
    });
    this.slider.addEventListener("input", () => {
      this.update();
    });
  }

  show(opened: OpenedImage | null): void {
    this.hasRefusedOutline = false;
    this.main = opened === null ? null : layerOf(opened, this.model);
    this.update();
  }

  /** The same overlays on a second image, or on that of a second model; null ends it. */
  showBeside(opened: OpenedImage | null, model: ShownModel): void {
    this.second = opened === null ? null : layerOf(opened, model);
    this.update();
  }

  toggleMap(at: number): void {
    if (at >= this.names.length) return;
    this.map = this.map === at && !this.isHidden ? null : at;
    this.isHidden = false;
    this.update();
  }

  toggleOutline(): void {
    const isShown = !this.isOutlined(this.main);
    if (this.main?.opened.finding.status === "scored") this.hasOutline = isShown;
    else this.hasRefusedOutline = isShown;
    this.isHidden = false;
    this.update();
  }

  /** All overlays away, and back. */
  toggleAll(): void {
    this.isHidden = !this.isHidden;
    this.update();
  }

  changeOpacity(by: number): void {
    this.slider.value = String(Number(this.slider.value) + by);
    this.update();
  }

  private isOutlined(layer: Layer | null): boolean {
    const isScored = layer?.opened.finding.status === "scored";
    return !this.isHidden && (isScored ? this.hasOutline : this.hasRefusedOutline);
  }

  private update(): void {
    const canMap = this.main !== null && hasMaps(this.main);
    this.buttons.forEach((button, at) => {
      button.disabled = !canMap;
      button.setAttribute("aria-pressed", String(canMap && this.map === at && !this.isHidden));
    });
    find("lungs").setAttribute("aria-pressed", String(this.isOutlined(this.main)));
    this.slider.disabled = this.folds.disabled = !canMap || this.map === null;
    const [shown, secondShown] = [this.shown(this.main), this.shown(this.second)];
    find("colour-bar").hidden = (shown?.heat ?? null) === null;
    this.changed(shown);
    this.secondChanged(secondShown);
  }

  private shown(layer: Layer | null): Shown | null {
    const image = layer?.opened.image ?? null;
    if (layer === null || image === null) return null;
    const heat = this.isHidden ? null : this.heat(layer);
    const opacity = Number(this.slider.value) / 100;
    return { heat, opacity, outline: this.isOutlined(layer) ? layer.outline : null, height: image.height, width: image.width };
  }

  private heat(layer: Layer): HTMLCanvasElement | null {
    const { maps } = layer.opened;
    const { classes, folds, mask_threshold } = layer.model;
    if (this.map === null || maps === null || !hasMaps(layer) || (this.fold ?? 0) >= folds) return null;
    const every = heatMaps(maps, mask_threshold, this.fold, FINER);
    const isDifference = this.map === this.model.classes.length;
    const isSame = classes.join() === this.model.classes.join();
    const map = isDifference ? (isSame ? difference(every) : null) : every[classes.indexOf(this.names[this.map])];
    if (map === null || map === undefined) return null; // the second model has no such class
    const scale = isDifference ? "diverging" : "sequential";
    if (layer === this.main) this.showBar(isDifference, scale);
    return colourise(map, scale);
  }

  private showBar(isDifference: boolean, scale: "sequential" | "diverging"): void {
    const context = (find("colours") as HTMLCanvasElement).getContext("2d");
    if (context === null) return;
    const image = context.createImageData(256, 1);
    const table = colourTable(scale);
    for (let step = 0; step < 256; step++) image.data.set([...table.subarray(3 * step, 3 * step + 3), 255], 4 * step);
    context.putImageData(image, 0, 0);
    const [first, second] = this.model.classes;
    const fold = this.fold === null ? "all folds" : `fold ${this.fold + 1}`;
    find("bar-low").textContent = isDifference ? `for ${second}` : "weakest";
    find("bar-high").textContent = isDifference ? `for ${first}` : "strongest";
    find("bar-name").textContent = isDifference ? fold : `${this.names[this.map ?? 0]}, ${fold}`;
  }
}

function layerOf(opened: OpenedImage, model: ShownModel): Layer {
  const { maps } = opened;
  return { opened, model, outline: maps === null ? null : outlineLungs(maps.lungProbability, maps.height, maps.width) };
}

/** Whether heat maps can be drawn: not of an image that a model with other classes screened. */
function hasMaps({ opened, model }: Layer): boolean {
  const { status, scores } = opened.finding;
  const expected = Object.fromEntries(model.classes.map((name) => [name, 0])); // names like "1" change places in both
  const isSame = Object.keys(scores ?? {}).join() === Object.keys(expected).join();
  return status === "scored" && opened.maps !== null && isSame;
}
