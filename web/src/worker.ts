/** The worker that reads and screens, one image after the other; the page ends it when an image takes too long. */

import type { Finding, Maps } from "./inference/finding";
import { heatMaps, type HeatMap } from "./inference/heatmap";
import type { Model } from "./inference/model";
import { Network, type RuntimeFiles } from "./inference/network";
import { checkPreparation } from "./inference/preparation";
import { screen } from "./inference/screening";
import { Codecs, type CodecName } from "./reading/codecs";
import type { ToneCurve } from "./reading/radiograph";

export interface DeepImage {
  /** Greys at their full depth, 0 to 65,535, row by row. */
  values: Uint16Array;
  height: number;
  width: number;
  toneCurve: ToneCurve;
}

export type Request =
  | { kind: "open"; model: Model; files: RuntimeFiles; codecs: Record<CodecName, ArrayBuffer> }
  | { kind: "screen"; number: number; name: string; bytes: ArrayBuffer; vectors: boolean };

export interface Answer {
  finding: Finding;
  image: DeepImage | null;
  maps: Maps | null;
  /** For conformance tests only. */
  vectors: { prepared: Uint8Array; heatMaps: HeatMap[] } | null;
}

export type Reply =
  | { kind: "ready" }
  | { kind: "broken"; why: string }
  | ({ kind: "done"; number: number } & Answer);

let opened: { model: Model; network: Network; codecs: Codecs } | null = null;

const post = self.postMessage.bind(self) as (message: Reply, transfer?: Transferable[]) => void;

self.onmessage = (event: MessageEvent<Request>): void => {
  const request = event.data;
  const work = request.kind === "open" ? open(request) : answer(request);
  work.catch((error: unknown) => {
    post({ kind: "broken", why: error instanceof Error ? error.message : String(error) });
  });
};

async function open({ model, files, codecs }: Extract<Request, { kind: "open" }>): Promise<void> {
  checkPreparation(model.preparation);
  const network = await Network.open(model, files);
  opened = { model, network, codecs: new Codecs((name) => Promise.resolve(codecs[name])) };
  post({ kind: "ready" });
}

async function answer({ number, name, bytes, vectors }: Extract<Request, { kind: "screen" }>): Promise<void> {
  if (opened === null) throw new Error("the worker was not opened");
  const { model, network, codecs } = opened;
  const { finding, radiograph, prepared, maps } = await screen(new Uint8Array(bytes), name, model, network, codecs);
  let image: DeepImage | null = null;
  if (radiograph !== null) {
    const { pixels, height, width, toneCurve } = radiograph;
    const values = new Uint16Array(pixels.length);
    for (let at = 0; at < values.length; at++) values[at] = pixels[at] * 257 + 0.5;
    image = { values, height, width, toneCurve };
  }
  const transfer = image === null ? [] : [image.values.buffer];
  const isTested = vectors && prepared !== null && maps !== null;
  const tested = isTested ? { prepared, heatMaps: heatMaps(maps, model.mask_threshold, null) } : null;
  post({ kind: "done", number, finding, image, maps, vectors: tested }, transfer);
}
