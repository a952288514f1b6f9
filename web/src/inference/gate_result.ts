/** What the gate says of an image. */

import type { Reason } from "./finding";

/** Refusals, any of which forbids a score, and warnings that go with one. */
export interface GateResult {
  refusals: Reason[];
  warnings: Reason[];
}

export function refused(...refusals: Reason[]): GateResult {
  return { refusals, warnings: [] };
}

export function warned(...warnings: Reason[]): GateResult {
  return { refusals: [], warnings };
}

/** All reasons, refusals first, each code once. */
export function allReasons({ refusals, warnings }: GateResult): Reason[] {
  const first = new Map<string, Reason>();
  for (const reason of [...refusals, ...warnings]) {
    if (!first.has(reason.code)) first.set(reason.code, reason);
  }
  return [...first.values()];
}
