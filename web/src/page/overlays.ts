/** Which overlays are shown over the image, and the controls for them. */

import { difference, heatMaps } from "../inference/heatmap";
import { colourTable } from "../view/colour";
import { colourise, outlineLungs, type Shown } from "../view/overlay";
import { find, make } from "./elements";
import type { OpenedImage, ShownModel } from "./source";

/** Heat maps are drawn at this many times the size of the prepared image. */
const FINER = 2;

export class Overlays {
  private map: number | null = null;
  private hasOutline = true;
  /** Lungs of a refused image are hardly lungs: they are shown on request. */
  private hasRefusedOutline = false;
  private isHidden = false;
  private fold: number | null = null;
  private opened: OpenedImage | null = null;
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly names: string[];
  private readonly slider = find("opacity") as HTMLInputElement;
  private readonly folds = find("fold") as HTMLSelectElement;
  private outline: Path2D | null = null;

  constructor(
    private readonly model: ShownModel,
    private readonly changed: (shown: Shown | null) => void,
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
    find("lungs").addEventListener("click", () => {
      this.toggleOutline();
    });
  }

  show(opened: OpenedImage | null): void {
    this.opened = opened;
    this.hasRefusedOutline = false;
    const maps = opened?.maps ?? null;
    this.outline = maps === null ? null : outlineLungs(maps.lungProbability, maps.height, maps.width);
    this.update();
  }

  toggleMap(at: number): void {
    if (at >= this.names.length) return;
    this.map = this.map === at && !this.isHidden ? null : at;
    this.isHidden = false;
    this.update();
  }

  toggleOutline(): void {
    const isShown = !this.isOutlined;
    if (this.opened?.finding.status === "scored") this.hasOutline = isShown;
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

  private get isOutlined(): boolean {
    const isScored = this.opened?.finding.status === "scored";
    return !this.isHidden && (isScored ? this.hasOutline : this.hasRefusedOutline);
  }

  private update(): void {
    const canMap = this.opened?.finding.status === "scored" && this.opened.maps !== null;
    this.buttons.forEach((button, at) => {
      button.disabled = !canMap;
      button.setAttribute("aria-pressed", String(canMap && this.map === at && !this.isHidden));
    });
    const outlined = this.isOutlined;
    find("lungs").setAttribute("aria-pressed", String(outlined));
    this.slider.disabled = this.folds.disabled = !canMap || this.map === null;
    const image = this.opened?.image ?? null;
    const heat = canMap && !this.isHidden ? this.heat() : null;
    find("colour-bar").hidden = heat === null;
    if (image === null) {
      this.changed(null);
      return;
    }
    const opacity = Number(this.slider.value) / 100;
    const { height, width } = image;
    this.changed({ heat, opacity, outline: outlined ? this.outline : null, height, width });
  }

  private heat(): HTMLCanvasElement | null {
    const maps = this.opened?.maps;
    if (this.map === null || maps === null || maps === undefined) return null;
    const every = heatMaps(maps, this.model.mask_threshold, this.fold, FINER);
    const isDifference = this.map === this.model.classes.length;
    const map = isDifference ? difference(every) : every[this.map];
    if (map === null) return null;
    const scale = isDifference ? "diverging" : "sequential";
    this.showBar(isDifference, scale);
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
