/** What the page knows of a model: the parts of a bundle's config that run in the browser, and the gate's limits. */

import type { Terms } from "../reading/defined_terms";

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

/** The limits of `cxrnet.screening.gate`. */
export interface GateRules {
  min_lung: number;
  max_lung: number;
  min_levels: number;
  min_range: number;
  max_samples: number;
  min_probability: number;
  max_relative_distance: number;
  doubted_clipping: number;
  max_clipping: number;
  contents: string[];
  turns: number[];
  view_size: [number, number];
  view_limits: { least_frontal: number; doubted_frontal: number; unlike: number };
}

export interface Model {
  /** Of the messages between this page and what writes the model for it. */
  format: 2;
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
  /** Whether the page holds a second model to compare with. */
  other?: boolean;
}
