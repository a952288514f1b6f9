/** The two graphs of a model under ONNX Runtime Web. */

import * as ort from "onnxruntime-web/wasm";

import type { Maps } from "./finding";
import type { View } from "./gate";
import type { Model } from "./model";
import { rint } from "../reading/greyscale";
import type { Logits } from "./scores";
import { resizeArea } from "./resize";

/** The smallest normal number of single precision. */
const SMALLEST = 2 ** -126;

export interface RuntimeFiles {
  wasm: ArrayBuffer;
  /** Address of the runtime's own module, which threads start from; null runs on one thread. */
  threadModule: string | null;
  threads: number;
  graph: ArrayBuffer;
  view: ArrayBuffer;
}

export interface Stages {
  maps: Maps;
  logits: Logits;
}

export class Network {
  private constructor(
    private readonly model: Model,
    private readonly graph: ort.InferenceSession,
    private readonly view: ort.InferenceSession,
  ) {}

  static async open(model: Model, files: RuntimeFiles): Promise<Network> {
    ort.env.logLevel = "error";
    ort.env.wasm.wasmBinary = files.wasm;
    ort.env.wasm.numThreads = files.threads;
    if (files.threadModule !== null) ort.env.wasm.wasmPaths = { mjs: files.threadModule };
    // The graphs were optimised when the page was exported; see `read_graphs` of `cxrnet.web.page_model`.
    const options: ort.InferenceSession.SessionOptions = { executionProviders: ["wasm"], graphOptimizationLevel: "disabled" };
    const graph = await ort.InferenceSession.create(new Uint8Array(files.graph), options);
    const view = await ort.InferenceSession.create(new Uint8Array(files.view), options);
    return new Network(model, graph, view);
  }

  /** What the network of the gate says of a prepared image. */
  async look(image: Uint8Array): Promise<View> {
    const { height, width } = this.model.preparation;
    const [toHeight, toWidth] = this.model.gate.view_size;
    let fitting = image;
    if (height !== toHeight || width !== toWidth) {
      const resized = resizeArea({ values: Float32Array.from(image), height, width }, toHeight, toWidth);
      fitting = Uint8Array.from(resized, rint);
    }
    const outputs = await this.view.run({ image: new ort.Tensor("uint8", fitting, [1, toHeight, toWidth]) });
    const numbers = (name: string): number[] => Array.from(outputs[name].data as Float32Array);
    return {
      contents: numbers("contents"),
      turns: numbers("turns"),
      inverted: numbers("inverted")[0],
      distance: numbers("distance")[0],
    };
  }

  /** Lungs, class maps and logits of a prepared image. */
  async screen(image: Uint8Array): Promise<Stages> {
    const { height, width } = this.model.preparation;
    const wanted = ["lung_probability", "lung_mask", "fold_maps", "fold_scores", "class_maps", "logits"];
    const outputs = await this.graph.run({ image: new ort.Tensor("uint8", image, [1, height, width]) }, wanted);
    const array = (name: string): Float32Array => (outputs[name].data as Float32Array).slice();
    const [, folds, classes, rows, columns] = outputs["fold_maps"].dims;
    const foldScores = array("fold_scores");
    // Logits but for a constant, which scores do not depend on.
    const foldLogits = Array.from({ length: folds }, (_, fold) =>
      Array.from(foldScores.subarray(fold * classes, (fold + 1) * classes), (score) => Math.log(Math.max(score, SMALLEST))),
    );
    const maps: Maps = {
      height,
      width,
      lungProbability: array("lung_probability"),
      lungMask: array("lung_mask"),
      rows,
      columns,
      classMaps: array("class_maps"),
      foldMaps: array("fold_maps"),
    };
    return { maps, logits: { ensemble: Array.from(array("logits")), folds: foldLogits } };
  }
}
