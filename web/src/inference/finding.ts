/** The finding of one image: the same record as `finding.json` of `cxrnet screen`. */

import { printable } from "../reading/faults";
import type { Model } from "./model";

export interface Reason {
  code: string;
  text: string;
}

/** `waiting` is shown before there is a finding, and is in no record. */
export type Status = "scored" | "refused" | "failed" | "waiting";

export interface Finding {
  schema: "cxrnet.finding/2";
  input: string;
  /** Only where the service was started to show them. */
  identifiers: Readonly<Record<string, string>> | null;
  status: Status;
  reasons: readonly Reason[];
  /** Where each value of the patient data came from; null where the model takes none. */
  patient: Readonly<Record<string, { origin: string; value: string | null }>> | null;
  corrections: readonly string[];
  warnings: readonly string[];
  scores: Record<string, number> | null;
  calibrated: boolean;
  operating_points: Record<string, number>;
  folds: Readonly<Record<string, number[]>> | null;
  spread: number | null;
  interval: Record<string, [number, number]> | null;
  /** Classes that the image may have; null where the model has no prediction sets. */
  conformal_set: readonly string[] | null;
  uncertain: boolean | null;
  uncertainty_reason: string | null;
  lung_area_fraction: number | null;
  radiograph: {
    sha256: string | null;
    format: string;
    height: number;
    width: number;
    spacing_mm: [number, number] | null;
    tags: Record<string, string>;
    history: string[];
  } | null;
  model: { name: string; version: string; sha256: string };
  timing_ms: Record<string, number>;
  notice: string;
}

/** Arrays of one image that its heat maps are drawn from, row by row. */
export interface Maps {
  /** Of the prepared image. */
  height: number;
  width: number;
  lungProbability: Float32Array;
  lungMask: Float32Array;
  /** Of the class maps. */
  rows: number;
  columns: number;
  /** Class after class. */
  classMaps: Float32Array;
  /** Fold after fold, in each class after class. */
  foldMaps: Float32Array;
}

/** The finding of an image that could not be read. */
export function failure(name: string, reason: Reason, model: Model): Finding {
  return { ...emptyFinding(name, "failed", model), reasons: [reason], notice: model.notice };
}

/** A finding that says nothing yet. */
export function emptyFinding(name: string, status: Status, model: Finding["model"]): Finding {
  return {
    schema: "cxrnet.finding/2",
    input: printable(name),
    identifiers: null,
    status,
    reasons: [],
    patient: null,
    corrections: [],
    warnings: [],
    scores: null,
    calibrated: false,
    operating_points: {},
    folds: null,
    spread: null,
    interval: null,
    conformal_set: null,
    uncertain: null,
    uncertainty_reason: null,
    lung_area_fraction: null,
    radiograph: null,
    model: { name: model.name, version: model.version, sha256: model.sha256 },
    timing_ms: {},
    notice: "",
  };
}
