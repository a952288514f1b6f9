/** Findings from a worker of this page: nothing leaves the browser. */

import { failure, type Finding } from "../inference/finding";
import type { Model } from "../inference/model";
import type { Answer, Reply, Request } from "../worker";
import { loadAssets, type Assets } from "./assets";
import {
  Recent,
  type Download,
  type Entry,
  type FindingSource,
  type Listener,
  type NamedFile,
  type OpenedImage,
  type OtherFindings,
  type ShownModel,
} from "./source";

/** Time after which an image fails and the worker is restarted. */
const LONGEST_MS = 60_000;
/** Images whose pixels stay in memory. */
const KEPT_IMAGES = 6;

interface Job {
  number: number;
  resolve: (image: OpenedImage) => void;
}

const SILENT: Listener = { changed: () => undefined, removed: () => undefined, notice: () => undefined };

export class WorkerSource implements FindingSource {
  readonly model: Model;
  readonly other: OtherFindings | null;
  readonly place = "in this browser; nothing is uploaded";
  private worker: Worker | null = null;
  private readonly files = new Map<number, NamedFile>();
  private readonly images = new Recent<OpenedImage>(KEPT_IMAGES);
  private readonly findings = new Map<number, Finding>();
  private waiting: Job[] = [];
  private current: Job | null = null;
  private clock = 0;
  private lastNumber = 0;

  constructor(
    private readonly assets: Assets,
    private readonly listener: Listener,
  ) {
    this.model = assets.model;
    this.other = assets.model.other === true ? new OtherWorker(this) : null;
  }

  /** Starts the worker and waits until it can screen. */
  async start(): Promise<void> {
    const { assets } = this;
    const isThreaded = !assets.isInline && globalThis.crossOriginIsolated;
    const [address, wasm, graph, view, openjpeg, charls, libjpegturbo] = await Promise.all([
      assets.workerAddress(),
      ...["ort.wasm", "graph.onnx", "view.onnx", "openjpeg.wasm", "charls.wasm", "libjpegturbo.wasm"].map((name) => assets.bytes(name)),
    ]);
    const worker = new Worker(address);
    const files = {
      wasm,
      graph,
      view,
      threads: isThreaded ? Math.max(1, Math.min(4, navigator.hardwareConcurrency)) : 1,
      threadModule: isThreaded ? new URL("ort.mjs", location.href).href : null,
    };
    const request: Request = { kind: "open", model: this.model, files, codecs: { openjpeg, charls, libjpegturbo } };
    await new Promise<void>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Reply>): void => {
        if (data.kind === "ready") resolve();
        else reject(new Error(data.kind === "broken" ? data.why : "the worker answered out of turn"));
      };
      worker.onerror = (event): void => {
        reject(new Error(event.message || "the worker cannot be started"));
      };
      worker.postMessage(request, [wasm, graph, view]);
    });
    worker.onmessage = ({ data }: MessageEvent<Reply>): void => {
      if (data.kind === "done") this.finish(data);
      else if (data.kind === "broken") void this.restart("DECODER_DIED", "reading it ended the decoder");
    };
    worker.onerror = (): void => void this.restart("DECODER_DIED", "reading it ended the decoder");
    this.worker = worker;
    await this.next();
  }

  async add(files: NamedFile[]): Promise<void> {
    for (const file of files) {
      const number = ++this.lastNumber;
      this.files.set(number, file);
      this.waiting.push({ number, resolve: () => undefined });
      this.listener.changed(this.entry(number));
    }
    await this.next();
  }

  fetchStudy(): Promise<void> {
    return Promise.reject(new Error("this page has no archive; drop files"));
  }

  /** The file of an image, as it was given. */
  file(number: number): NamedFile | undefined {
    return this.files.get(number);
  }

  /** What is found in a file that stays out of the worklist. */
  async screen(file: NamedFile): Promise<OpenedImage> {
    const number = this.lastNumber + 1;
    await this.add([file]);
    const opened = await this.open(number);
    await this.remove(number);
    return opened;
  }

  open(number: number): Promise<OpenedImage> {
    const kept = this.images.get(number);
    if (kept !== undefined) return Promise.resolve(kept);
    return new Promise((resolve) => {
      const queued = this.waiting.filter((job) => job.number === number);
      this.waiting = this.waiting.filter((job) => job.number !== number);
      const resolveAll = (image: OpenedImage): void => {
        for (const job of queued) job.resolve(image);
        resolve(image);
      };
      if (this.current?.number === number) {
        const { resolve: first } = this.current;
        this.current.resolve = (image): void => {
          first(image);
          resolveAll(image);
        };
        return;
      }
      this.waiting.unshift({ number, resolve: resolveAll }); // who looks goes before the queue
      void this.next();
    });
  }

  remove(number: number): Promise<void> {
    this.waiting = this.waiting.filter((job) => job.number !== number);
    this.files.delete(number);
    this.findings.delete(number);
    this.images.delete(number);
    this.listener.removed(number);
    return Promise.resolve();
  }

  downloads(): Download[] {
    return [];
  }

  private entry(number: number): Entry {
    const finding = this.findings.get(number);
    return {
      number,
      name: this.files.get(number)?.name ?? `image ${number}`,
      status: finding?.status ?? (this.current?.number === number ? "screening" : "waiting"),
      score: finding?.scores?.[this.model.classes[0]] ?? null,
      isUncertain: finding?.uncertain ?? false,
    };
  }

  private async next(): Promise<void> {
    if (this.worker === null || this.current !== null) return;
    const job = this.waiting.shift();
    if (job === undefined) return;
    const file = this.files.get(job.number);
    if (file === undefined) return this.next();
    this.current = job;
    this.listener.changed(this.entry(job.number));
    this.clock = window.setTimeout(() => {
      void this.restart("DECODER_TIME", `reading took longer than ${LONGEST_MS / 1000} s`);
    }, LONGEST_MS);
    try {
      const bytes = await file.file.arrayBuffer();
      const request: Request = { kind: "screen", number: job.number, name: file.name, bytes, vectors: false };
      this.worker.postMessage(request, [bytes]);
    } catch {
      this.fail(job, "UNREADABLE", "the file can no longer be read; choose it again");
    }
  }

  private finish(answer: Answer & { number: number }): void {
    const job = this.current;
    if (job?.number !== answer.number) return;
    window.clearTimeout(this.clock);
    this.current = null;
    if (this.files.has(job.number)) {
      this.findings.set(job.number, answer.finding);
      const opened = { finding: answer.finding, image: answer.image, maps: answer.maps };
      this.images.set(job.number, opened);
      this.listener.changed(this.entry(job.number));
      job.resolve(opened);
    }
    void this.next();
  }

  private fail(job: Job, code: string, problem: string): void {
    const name = this.files.get(job.number)?.name ?? "image";
    const finding = failure(name, { code, text: `${name}: ${problem}` }, this.model);
    this.finish({ number: job.number, finding, image: null, maps: null, vectors: null });
  }

  /** Ends a worker that hangs or broke, gives up its image, and starts another. */
  private async restart(code: string, problem: string): Promise<void> {
    this.worker?.terminate();
    this.worker = null;
    if (this.current !== null) this.fail(this.current, code, `${problem}; the file is damaged or far too large`);
    await this.start();
  }
}

/** A second worker, which screens the images of the first again; it starts with the first question. */
class OtherWorker implements OtherFindings {
  private started: Promise<WorkerSource> | null = null;

  constructor(private readonly first: WorkerSource) {}

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
