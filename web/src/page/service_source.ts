/** Findings from `cxrnet serve`, over its HTTP API. */

import { unzipSync } from "fflate";

import { emptyFinding, type Finding, type Maps } from "../inference/finding";
import type { ToneCurve } from "../reading/radiograph";
import { readNpy } from "./npy";
import {
  Recent,
  type Download,
  type Entry,
  type EntryStatus,
  type DeepImage,
  type FindingSource,
  type Listener,
  type NamedFile,
  type OpenedImage,
  type OtherFindings,
  type ShownModel,
} from "./source";

const API = "api/v1";
const KEPT_IMAGES = 6;
/** Seconds that the service may take for what is not there yet. */
const WAIT = 60;
/** Times that an upload is tried again. */
const PATIENCE = 60;

/** One image as the service tells of it. */
interface Listed {
  number: number;
  status: EntryStatus;
  score: number | null;
  uncertain: boolean;
  objects: string[];
}

interface ServedModel extends ShownModel {
  /** The one to compare with, if there is one. */
  other: ShownModel | null;
}

interface Event {
  images: Listed[];
  removed: number[];
}

export class ServiceSource implements FindingSource {
  readonly place = "by the service of this address";
  private readonly names = new Map<number, string>();
  private readonly listed = new Map<number, Listed>();
  private readonly images = new Recent<OpenedImage>(KEPT_IMAGES);
  readonly other: OtherFindings | null;

  private constructor(
    readonly model: ServedModel,
    private readonly listener: Listener,
  ) {
    const { other } = model;
    this.other = other === null ? null : { open: async (number) => ({ opened: await this.openOther(number), model: other }) };
  }

  static async connect(listener: Listener): Promise<ServiceSource> {
    const response = await request("model");
    return new ServiceSource((await response.json()) as ServedModel, listener);
  }

  /** Follows the worklist of the service; the browser connects again by itself. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      const events = new EventSource(`${API}/events`);
      events.onmessage = ({ data }: MessageEvent<string>): void => {
        const event = JSON.parse(data) as Event;
        event.images.forEach((image) => {
          this.hear(image);
        });
        event.removed.forEach((number) => {
          this.listed.delete(number);
          this.listener.removed(number);
        });
        resolve();
      };
      events.onopen = (): void => {
        this.listener.notice(null);
      };
      events.onerror = (): void => {
        this.listener.notice("The service does not answer; what it has taken is kept, and the page connects again.");
        resolve();
      };
    });
  }

  /** Sends files one after the other, which keeps their order. */
  async add(files: NamedFile[]): Promise<void> {
    const refused: string[] = [];
    for (const { name, file } of files) {
      try {
        const response = await patiently(() => request("images", { method: "POST", body: file }));
        const image = (await response.json()) as Listed;
        this.names.set(image.number, name);
        this.hear(this.listed.get(image.number) ?? image);
      } catch (error) {
        refused.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (refused.length > 0) {
      const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : "";
      throw new Error(`${refused[0]}${more}`);
    }
  }

  async fetchStudy(uid: string): Promise<void> {
    await request("studies", { method: "POST", body: JSON.stringify({ study: uid }) });
  }

  async open(number: number): Promise<OpenedImage> {
    const kept = this.images.get(number);
    if (kept !== undefined) return kept;
    const status = this.listed.get(number)?.status;
    if (status === "waiting" || status === "screening" || status === undefined) return this.pending(number);
    const finding = (await (await request(`images/${number}/finding.json`)).json()) as Finding;
    let [image, maps]: [DeepImage | null, Maps | null] = [null, null];
    if (finding.status !== "failed") {
      [image, maps] = await Promise.all([requestPixels(number), requestMaps(`images/${number}/maps.npz`)]);
    }
    const opened = { finding, image, maps };
    this.images.set(number, opened);
    return opened;
  }

  /** The same image with what the second model finds in it. */
  private async openOther(number: number): Promise<OpenedImage> {
    const { image } = await this.open(number);
    const finding = (await (await request(`images/${number}/other/finding.json?wait=${WAIT}`)).json()) as Finding;
    const maps = finding.status === "failed" ? null : await requestMaps(`images/${number}/other/maps.npz`);
    return { finding, image, maps };
  }

  async remove(number: number): Promise<void> {
    await request(`images/${number}`, { method: "DELETE" });
    this.images.delete(number);
  }

  downloads(number: number): Download[] {
    return (this.listed.get(number)?.objects ?? []).map((object) => ({
      label: object,
      load: async () => ({ name: object, content: await (await request(`images/${number}/objects/${object}`)).blob() }),
    }));
  }

  private hear(image: Listed): void {
    this.listed.set(image.number, image);
    const name = this.names.get(image.number) ?? `image ${image.number}`;
    const { number, status, score } = image;
    const entry: Entry = { number, name, status, score, isUncertain: image.uncertain };
    this.listener.changed(entry);
  }

  /** What is shown of an image that is not screened yet. */
  private pending(number: number): OpenedImage {
    return { finding: emptyFinding(`image ${number}`, "waiting", this.model), image: null, maps: null };
  }
}

/** Status of a service that cannot be reached, for example while it starts again. */
const UNREACHABLE = 0;

/** Asks again where the service is busy, takes no more files in this minute, or does not answer. */
async function patiently(ask: () => Promise<Response>): Promise<Response> {
  for (let left = PATIENCE; ; left--) {
    try {
      return await ask();
    } catch (error) {
      const isBusy = error instanceof ServiceError && [429, 503, UNREACHABLE].includes(error.status);
      if (!isBusy || left === 0) throw error;
      await new Promise((resolve) => window.setTimeout(resolve, 2000));
    }
  }
}

class ServiceError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** An answer of the service; what it refuses is thrown in its own words. */
async function request(path: string, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(`${API}/${path}`, { ...options, headers: { "X-Requested-With": "cxrnet" } }).catch(() => {
    throw new ServiceError(UNREACHABLE, "the service does not answer; start it again");
  });
  if (response.ok) return response;
  const answer = (await response.json().catch(() => null)) as { detail?: string } | null;
  throw new ServiceError(response.status, answer?.detail ?? `the service answered with status ${response.status}`);
}

async function requestPixels(number: number): Promise<DeepImage> {
  const response = await request(`images/${number}/pixels`);
  const { height, width, tone_curve } = JSON.parse(response.headers.get("X-Image") ?? "{}") as {
    height: number;
    width: number;
    tone_curve: ToneCurve;
  };
  return { values: new Uint16Array(await response.arrayBuffer()), height, width, toneCurve: tone_curve };
}

async function requestMaps(path: string): Promise<Maps> {
  const archive = new Uint8Array(await (await request(path)).arrayBuffer());
  const parts = unzipSync(archive, { filter: ({ name }) => !name.startsWith("heatmap") && !name.startsWith("spread") });
  const lungs = readNpy(parts["lung_probability.npy"]);
  const [height, width] = lungs.shape;
  if (!("class_maps.npy" in parts)) {
    const none = new Float32Array(0);
    return { height, width, lungProbability: lungs.values, lungMask: lungs.values, rows: 0, columns: 0, classMaps: none, foldMaps: none };
  }
  const classMaps = readNpy(parts["class_maps.npy"]);
  const [, rows, columns] = classMaps.shape;
  return {
    height,
    width,
    lungProbability: lungs.values,
    lungMask: readNpy(parts["lung_mask.npy"]).values,
    rows,
    columns,
    classMaps: classMaps.values,
    foldMaps: readNpy(parts["fold_maps.npy"]).values,
  };
}
