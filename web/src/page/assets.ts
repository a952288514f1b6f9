/** What the page runs with: inside the single file as compressed data, next to it as files. */

import type { Model } from "../inference/model";

export interface Assets {
  model: Model;
  /** Whether everything is inside the page. */
  isInline: boolean;
  bytes(name: string): Promise<ArrayBuffer>;
  /** Address that a classic worker is started from. */
  workerAddress(): Promise<string>;
}

const FORMAT = 3;

/** Files that each model has of its own. */
const OF_MODEL = ["model.json", "graph.onnx", "view.onnx"];

/**
 * The page's own files and those of a model.
 *
 * @param prefix Of the names of the model's files: "" for the first, "other-" for the one to compare with.
 */
export async function loadAssets(prefix: "" | "other-" = ""): Promise<Assets> {
  const isInline = document.getElementById("data-model.json") !== null;
  const bytes = (name: string): Promise<ArrayBuffer> => {
    const full = OF_MODEL.includes(name) ? prefix + name : name;
    return isInline ? inlineBytes(full) : fetchedBytes(full);
  };
  const model = JSON.parse(new TextDecoder().decode(await bytes("model.json"))) as Model;
  const format: number = model.format;
  if (format !== FORMAT) {
    throw new Error(`the model is of format ${format}; this page reads format ${FORMAT}, export it again`);
  }
  const workerAddress = async (): Promise<string> => {
    if (!isInline) return "worker.js";
    return URL.createObjectURL(new Blob([await bytes("worker.js")], { type: "text/javascript" }));
  };
  return { model, isInline, bytes, workerAddress };
}

async function fetchedBytes(name: string): Promise<ArrayBuffer> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name} cannot be loaded (${response.status}); reload the page`);
  return response.arrayBuffer();
}

async function inlineBytes(name: string): Promise<ArrayBuffer> {
  const element = document.getElementById(`data-${name}`);
  if (element === null) throw new Error(`${name} is missing from the page; export it again`);
  const inflated = new Blob([fromBase64(element.textContent ?? "")]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(inflated).arrayBuffer();
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const own = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (own.fromBase64 !== undefined) return own.fromBase64(text); // of 2025 and later
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = packed.charCodeAt(at);
  return bytes;
}
