/** Where findings come from: a worker of this page, or a service. The page shows both alike. */

import type { Finding, Maps } from "../inference/finding";
import type { ToneCurve } from "../reading/radiograph";

export type EntryStatus = "waiting" | "screening" | "scored" | "refused" | "failed";

/** One row of the worklist. */
export interface Entry {
  number: number;
  /** The file's own name, in memory only; a number where this page did not see the file. */
  name: string;
  status: EntryStatus;
  /** Of the first class; null unless scored. */
  score: number | null;
  isUncertain: boolean;
}

export interface DeepImage {
  /** Greys at their full depth, 0 to 65,535, row by row. */
  values: Uint16Array;
  height: number;
  width: number;
  toneCurve: ToneCurve;
}

export interface OpenedImage {
  finding: Finding;
  image: DeepImage | null;
  maps: Maps | null;
}

/** What the page shows of a model. */
export interface ShownModel {
  name: string;
  version: string;
  sha256: string;
  classes: string[];
  folds: number;
  mask_threshold: number;
  /** Name of the DICOMweb server that studies can be fetched from, if there is one. */
  archive?: string | null;
}

export interface NamedFile {
  name: string;
  file: Blob;
}

export interface Download {
  label: string;
  load: () => Promise<{ name: string; content: Blob }>;
}

/** What a second model finds in the images of the first. */
export interface OtherFindings {
  open(number: number): Promise<{ opened: OpenedImage; model: ShownModel }>;
}

export interface FindingSource {
  readonly model: ShownModel;
  /** The model to compare with, if there is one. */
  readonly other: OtherFindings | null;
  /** Where images are screened, for people. */
  readonly place: string;
  /** Begins, and returns when images can be added. */
  start(): Promise<void>;
  add(files: NamedFile[]): Promise<void>;
  /** Fetches the radiographs of a study from the archive. */
  fetchStudy(uid: string): Promise<void>;
  open(number: number): Promise<OpenedImage>;
  remove(number: number): Promise<void>;
  /** What can be saved of an image in addition to its picture and its record. */
  downloads(number: number): Download[];
}

/** Listed whenever an entry is new or changed, or gone. */
export interface Listener {
  changed(entry: Entry): void;
  removed(number: number): void;
  /** Something that the reader must know, for example that the service is gone; null when it is over. */
  notice(text: string | null): void;
}

/** Keeps what was opened last; pixels of all images would not fit into memory. */
export class Recent<T> {
  private readonly kept = new Map<number, T>();

  constructor(private readonly most: number) {}

  get(number: number): T | undefined {
    const found = this.kept.get(number);
    if (found !== undefined) this.set(number, found);
    return found;
  }

  set(number: number, value: T): void {
    this.kept.delete(number);
    this.kept.set(number, value);
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value ?? -1);
  }

  delete(number: number): void {
    this.kept.delete(number);
  }
}
