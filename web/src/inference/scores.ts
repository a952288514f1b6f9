/** From the logits of the ensemble to calibrated scores, their interval over the folds, and why they are uncertain. */

import type { Calibration, Model } from "./model";

const BALANCED = "balanced";
const EVEN = 0.5;

export interface Logits {
  ensemble: number[];
  /** Fold after fold, one number a class. */
  folds: number[][];
}

export interface Scores {
  scores: Record<string, number>;
  folds: Record<string, number[]>;
  spread: number;
  interval: Record<string, [number, number]> | null;
  conformal_set: string[] | null;
  uncertain: boolean | null;
  uncertainty_reason: string | null;
}

export function scoresOf(logits: Logits, model: Model): Scores {
  const { classes, calibration } = model;
  const ensemble = softmax(scaled(logits.ensemble, calibration));
  const folds = logits.folds.map((one) => softmax(scaled(one, calibration)));
  const deviations = classes.map((_, at) => deviation(folds.map((fold) => fold[at]), 0));
  const ends = intervalOf(logits, calibration);
  const scores = Object.fromEntries(classes.map((name, at) => [name, Math.fround(ensemble[at])]));
  const sets = calibration?.conformal ?? null;
  const members = sets === null ? null : classes.filter((name) => scores[name] >= sets.thresholds[name]);
  let reason = explainUncertainty(logits, model, ends);
  if (sets !== null && members !== null) reason ??= explainAmbiguity(members, sets.level);
  return {
    scores,
    folds: Object.fromEntries(classes.map((name, at) => [name, folds.map((fold) => Math.fround(fold[at]))])),
    spread: Math.max(...deviations),
    interval: ends === null ? null : Object.fromEntries(classes.map((name, at) => [name, ends[at]])),
    conformal_set: members,
    uncertain: ends === null && members === null ? null : reason !== null,
    uncertainty_reason: reason,
  };
}

/** Why a prediction set leaves the answer open; null where it holds one class. */
function explainAmbiguity(members: string[], level: number): string | null {
  if (members.length === 1) return null;
  const held = members.length > 0 ? members.join(" and ") : "no class: the image is unlike those of every class";
  return `the ${(100 * level).toFixed(0)} % prediction set holds ${held}`;
}

/** Student's t-interval of the mean of the folds' log-odds around the log-odds of the ensemble, as probabilities. */
function intervalOf(logits: Logits, calibration: Calibration | null): [number, number][] | null {
  if (logits.folds.length < 2) return null;
  const centre = logOdds(scaled(logits.ensemble, calibration));
  const folds = logits.folds.map((one) => logOdds(scaled(one, calibration)));
  return centre.map((odds, at): [number, number] => {
    const half = halfWidth(folds.map((fold) => fold[at]));
    return [probability(odds - half), probability(odds + half)];
  });
}

function explainUncertainty(logits: Logits, model: Model, interval: [number, number][] | null): string | null {
  if (interval === null) return null;
  const { classes, calibration } = model;
  if (classes.length === 2) {
    const points = calibration?.operating_points ?? {};
    const point = points[BALANCED] ?? EVEN;
    const [low, high] = interval[0];
    if (point < low || point > high) return null;
    const what = BALANCED in points ? "the balanced operating point" : "the middle";
    const between = `between ${low.toFixed(2)} and ${high.toFixed(2)}`;
    return `the folds put ${classes[0]} ${between}, on both sides of ${what} ${point.toFixed(2)}`;
  }
  const ensemble = scaled(logits.ensemble, calibration);
  const folds = logits.folds.map((one) => scaled(one, calibration));
  const order = ensemble.map((_, at) => at).sort((a, b) => ensemble[a] - ensemble[b]);
  const [second, first] = order.slice(-2);
  const half = halfWidth(folds.map((fold) => fold[first] - fold[second]));
  if (ensemble[first] - ensemble[second] > half) return null;
  return `the folds disagree whether ${classes[first]} or ${classes[second]} scores higher`;
}

function scaled(logits: number[], calibration: Calibration | null): number[] {
  if (calibration === null) return logits;
  return logits.map((one, at) => one / calibration.temperature + calibration.bias[at]);
}

function softmax(logits: number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((one) => Math.exp(one - most));
  const sum = powers.reduce((total, one) => total + one, 0);
  return powers.map((one) => one / sum);
}

/** log(p / (1 - p)) of each class, where p is the softmax of the logits. */
function logOdds(logits: number[]): number[] {
  return logits.map((own, at) => {
    const others = logits.filter((_, other) => other !== at);
    const most = Math.max(...others);
    return own - most - Math.log(others.reduce((sum, one) => sum + Math.exp(one - most), 0));
  });
}

function probability(odds: number): number {
  return 0.5 * (1 + Math.tanh(odds / 2));
}

function halfWidth(values: number[]): number {
  return (studentQuantile(values.length - 1) * deviation(values, 1)) / Math.sqrt(values.length);
}

function deviation(values: number[], lost: 0 | 1): number {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const squares = values.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - lost));
}

/** t with P(|T| <= t) = 95 % for whole degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4). */
export function studentQuantile(degrees: number): number {
  let [low, high] = [0, Math.PI / 2];
  for (let step = 0; step < 200; step++) {
    const middle = (low + high) / 2;
    if (studentShare(middle, degrees) < 0.95) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan(low);
}

/** P(|T| <= t) at t = sqrt(degrees) tan(angle). */
function studentShare(angle: number, degrees: number): number {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  let [term, total] = isOdd ? [cosine, 0] : [1, 0];
  for (let step = isOdd ? 2 : 1; step < degrees; step += 2) {
    total += term;
    term *= (step / (step + 1)) * cosine ** 2;
  }
  return isOdd ? ((angle + sine * total) * 2) / Math.PI : sine * total;
}
