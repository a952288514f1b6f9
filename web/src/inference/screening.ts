/** The way of a radiograph: bytes, prepared image, graphs, gate, finding. */

import type { Codecs } from "../reading/codecs";
import { ReadingError, printable } from "../reading/faults";
import { readRadiograph } from "../reading/read";
import type { Radiograph } from "../reading/radiograph";
import { emptyFinding, failure, type Finding, type Maps, type Reason } from "./finding";
import { checkImage, lungAreaFraction } from "./gate";
import { allReasons } from "./gate_result";
import type { Model } from "./model";
import type { Network } from "./network";
import { prepare } from "./preparation";
import { scoresOf, type Scores } from "./scores";

/** All that the page shows of one image; the radiograph and the maps are missing where it failed. */
export interface Screened {
  finding: Finding;
  radiograph: Radiograph | null;
  prepared: Uint8Array | null;
  maps: Maps | null;
}

export async function screen(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  model: Model,
  network: Network,
  codecs: Codecs,
): Promise<Screened> {
  const timing: Record<string, number> = {};
  let start = performance.now();
  const lap = (stage: string): void => {
    const now = performance.now();
    timing[stage] = Math.round((now - start) * 100) / 100;
    start = now;
  };
  try {
    const radiograph = await readRadiograph(bytes, name, model.terms, codecs);
    lap("read");
    const prepared = prepare(radiograph, model.preparation);
    lap("prepare");
    const view = await network.look(prepared);
    lap("gate");
    const { maps, logits } = await network.screen(prepared);
    lap("network");
    const fraction = lungAreaFraction(maps);
    const result = checkImage(radiograph, view, maps, model.gate, model.terms);
    const scores = result.refusals.length > 0 ? null : scoresOf(logits, model);
    const finding = record(radiograph, allReasons(result), scores, fraction, model, timing);
    return { finding, radiograph, prepared, maps };
  } catch (error) {
    const reason = explain(error, name);
    return { finding: failure(name, reason, model), radiograph: null, prepared: null, maps: null };
  }
}

function record(
  radiograph: Radiograph,
  reasons: Reason[],
  scores: Scores | null,
  fraction: number,
  model: Model,
  timing: Record<string, number>,
): Finding {
  const { sha256, format, height, width, spacingMm, tags, history } = radiograph;
  return {
    ...emptyFinding(radiograph.name, scores === null ? "refused" : "scored", model),
    reasons,
    warnings: radiograph.warnings,
    ...(scores === null
      ? {}
      : {
          ...scores,
          calibrated: model.calibration !== null,
          operating_points: model.calibration?.operating_points ?? {},
        }),
    lung_area_fraction: fraction,
    radiograph: { sha256, format, height, width, spacing_mm: spacingMm, tags, history },
    timing_ms: timing,
    notice: model.notice,
  };
}

function explain(error: unknown, name: string): Reason {
  if (error instanceof ReadingError) return { code: error.code, text: error.message };
  const kind = error instanceof Error ? error.name : "an unknown error";
  return { code: "INTERNAL", text: `${printable(name)}: a fault of cxrnet (${kind}); please report it` };
}
