/** A second model of the page, which screens the images of the first again. */

import { loadAssets } from "./assets";
import type { Listener, OpenedImage, ShownModel } from "./source";
import { WorkerSource } from "./worker_source";

const SILENT: Listener = { changed: () => undefined, removed: () => undefined, notice: () => undefined };

export class SecondModel {
  private started: Promise<WorkerSource> | null = null;

  constructor(private readonly first: WorkerSource) {}

  /** What the second model finds in an image of the first; its worker starts with the first question. */
  async open(number: number): Promise<{ opened: OpenedImage; model: ShownModel }> {
    const file = this.first.file(number);
    if (file === undefined) throw new Error("the image is gone; choose another");
    this.started ??= start();
    const source = await this.started;
    return { opened: await source.screen(file), model: source.model };
  }
}

async function start(): Promise<WorkerSource> {
  const source = new WorkerSource(await loadAssets("other-"), SILENT);
  await source.start();
  return source;
}
