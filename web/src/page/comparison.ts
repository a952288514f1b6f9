/** A second image, or the same image under a second model, next to the chosen one. */

import type { Finding } from "../inference/finding";
import { find } from "./elements";
import type { Overlays } from "./overlays";
import type { OpenedImage, OtherFindings, ShownModel } from "./source";
import { Viewer } from "./viewer";

/** The chosen image. */
export interface Chosen {
  number: number;
  name: string;
  opened: OpenedImage;
}

export class Comparison {
  readonly viewer: Viewer;
  private readonly stage = find("second");
  /** What is shown on the second stage: an image that was kept, what the second model finds, or nothing. */
  private mode: "image" | "model" | null = null;
  private chosen: Chosen | null = null;
  private overlays: Overlays | null = null;
  private model: ShownModel | null = null;
  private second: OtherFindings | null = null;

  constructor(private readonly main: Viewer) {
    const [image, overlay] = ["second-image", "second-overlay"].map((id) => find(id) as HTMLCanvasElement);
    this.viewer = new Viewer(this.stage, image, overlay, () => undefined);
  }

  start(model: ShownModel, overlays: Overlays, second: OtherFindings | null): void {
    [this.model, this.overlays, this.second] = [model, overlays, second];
    find("other-model").hidden = second === null;
  }

  /** Takes note of the chosen image; the second model screens it, if its findings are shown. */
  async choose(chosen: Chosen | null): Promise<void> {
    this.chosen = chosen;
    find("stage-name").textContent = chosen === null ? "" : caption(chosen.name, chosen.opened.finding);
    if (this.mode === "model") await this.showModel();
  }

  /** Keeps the chosen image on the second stage, or removes it. */
  toggleImage(): void {
    if (this.model === null || this.chosen === null) return;
    if (this.mode === "image") this.show(null);
    else this.show("image", this.chosen.name, this.chosen.opened, this.model);
  }

  /** Shows what the second model finds in each image, or ends that. */
  async toggleModel(): Promise<void> {
    if (this.second === null) return;
    if (this.mode === "model") this.show(null);
    else await this.showModel();
  }

  private async showModel(): Promise<void> {
    const { chosen } = this;
    if (this.second === null) return;
    if (chosen === null || chosen.opened.finding.status === "waiting") {
      this.show("model"); // until there is a finding
      return;
    }
    find("second-name").textContent = `${chosen.name}\nscreening`;
    try {
      const { opened, model } = await this.second.open(chosen.number);
      if (this.chosen === chosen) this.show("model", chosen.name, opened, model);
    } catch (error) {
      if (this.chosen !== chosen) return;
      this.show("model");
      find("second-name").textContent = `${chosen.name}\n${error instanceof Error ? error.message : String(error)}`;
    }
  }

  private show(mode: "image" | "model" | null, name = "", opened: OpenedImage | null = null, model = this.model): void {
    this.mode = mode;
    const isOpen = mode !== null;
    this.stage.hidden = find("stage-name").hidden = !isOpen;
    this.main.linked = isOpen ? this.viewer : null;
    this.viewer.linked = isOpen ? this.main : null;
    this.viewer.show(opened?.image ?? null);
    if (model !== null) this.overlays?.showBeside(opened, model);
    find("second-name").textContent = opened === null ? "" : caption(name, opened.finding);
    find("compare").setAttribute("aria-pressed", String(mode === "image"));
    find("other-model").setAttribute("aria-pressed", String(mode === "model"));
  }
}

function caption(name: string, { status, scores, reasons, model }: Finding): string {
  const found =
    scores === null
      ? [status, ...reasons.map(({ code }) => code)].join(" ")
      : Object.entries(scores)
          .map(([key, score]) => `${key} ${score.toFixed(3)}`)
          .join(", ");
  return `${name}\n${model.name} ${model.version}: ${found}`;
}
