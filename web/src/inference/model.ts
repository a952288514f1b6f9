/** What the page knows of a model: the parts of a bundle's config that run in the browser, and the gate's limits. */

import type { Terms } from "../reading/attributes";

export interface Preparation {
  height: number;
  width: number;
  interpolation: "area" | "bilinear";
  equalisation?: "histogram" | "rank";
  depth?: "8-bit" | "full";
}

export interface Calibration {
  temperature: number;
  bias: number[];
  images: number;
  operating_points: Record<string, number>;
  conformal?: { level: number; thresholds: Record<string, number> } | null;
}

/** The limits of `cxrnet.screening.gate`, and the words that its rules look for. */
export interface GateRules {
  least_lung: number;
  most_lung: number;
  least_levels: number;
  least_range: number;
  enough: number;
  doubted: number;
  far: number;
  radiography: string[];
  chest: string[];
  lateral: string[];
  contents: string[];
  turns: number[];
  view_size: [number, number];
  view_limits: { least_frontal: number; doubted_frontal: number; unlike: number };
}

export interface Model {
  /** Of the messages between this page and what writes the model for it. */
  format: 1;
  name: string;
  version: string;
  sha256: string;
  classes: string[];
  folds: number;
  mask_threshold: number;
  preparation: Preparation;
  calibration: Calibration | null;
  gate: GateRules;
  terms: Terms;
  notice: string;
}
