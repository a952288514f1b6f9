/** A second image, or the same image under a second model, beside the one that is chosen. */

import { find } from "./elements";
import type { Finding } from "../inference/finding";
import type { Overlays } from "./overlays";
import type { OpenedImage, ShownModel } from "./source";
import { Viewer } from "./viewer";

export class Comparison {
  readonly viewer: Viewer;
  private readonly stage = find("beside");

  constructor(private readonly main: Viewer) {
    const [image, overlay] = ["beside-image", "beside-overlay"].map((id) => find(id) as HTMLCanvasElement);
    this.viewer = new Viewer(this.stage, image, overlay, () => undefined);
  }

  get isOpen(): boolean {
    return !this.stage.hidden;
  }

  show(name: string, opened: OpenedImage, model: ShownModel, overlays: Overlays): void {
    this.stage.hidden = find("stage-name").hidden = false;
    this.main.linked = this.viewer;
    this.viewer.linked = this.main;
    this.viewer.show(opened.image);
    this.viewer.tool = this.main.tool;
    overlays.showBeside(opened, model);
    find("beside-name").textContent = caption(name, opened.finding);
  }

  /** What is beside it: the name and the finding of the chosen image, in short. */
  describe(name: string, finding: Finding | null): void {
    find("stage-name").textContent = finding === null ? "" : caption(name, finding);
  }

  close(overlays: Overlays, model: ShownModel): void {
    this.stage.hidden = find("stage-name").hidden = true;
    this.main.linked = this.viewer.linked = null;
    this.viewer.show(null);
    overlays.showBeside(null, model);
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
