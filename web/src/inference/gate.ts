/** Whether an image may be given a score at all, and whether the score comes with a warning: `cxrnet.screening.gate`. */

import { rint } from "../reading/greyscale";
import type { Radiograph } from "../reading/radiograph";
import type { Reason } from "./finding";
import type { GateRules } from "./model";

/** What the network of the gate says of a prepared image. */
export interface View {
  contents: number[];
  turns: number[];
  inverted: number;
  distance: number;
}

export interface GateResult {
  refusals: Reason[];
  warnings: Reason[];
}

export function assess(radiograph: Radiograph, view: View, lungAreaFraction: number, rules: GateRules): GateResult {
  const parts = [
    assessTags(radiograph.tags, rules),
    assessView(view, rules),
    assessLungs(lungAreaFraction, rules),
    assessContrast(radiograph, rules),
  ];
  return { refusals: parts.flatMap((part) => part.refusals), warnings: parts.flatMap((part) => part.warnings) };
}

/** All reasons, refusals first, each code once. */
export function allReasons(result: GateResult): Reason[] {
  const first = new Map<string, Reason>();
  for (const reason of [...result.refusals, ...result.warnings]) {
    if (!first.has(reason.code)) first.set(reason.code, reason);
  }
  return [...first.values()];
}

function refused(...refusals: Reason[]): GateResult {
  return { refusals, warnings: [] };
}

function warned(...warnings: Reason[]): GateResult {
  return { refusals: [], warnings };
}

function assessTags(tags: Record<string, string>, rules: GateRules): GateResult {
  const word = (keyword: string): string => (tags[keyword] ?? "").trim().toUpperCase();
  const [modality, bodyPart, view] = [word("Modality"), word("BodyPartExamined"), word("ViewPosition")];
  const refusals: Reason[] = [];
  if (modality !== "" && !rules.radiography.includes(modality)) {
    refusals.push({ code: "NOT_CHEST", text: `modality is ${modality} (0008,0060); a chest radiograph is CR or DX` });
  }
  if (bodyPart !== "" && !rules.chest.includes(bodyPart)) {
    refusals.push({ code: "NOT_CHEST", text: `body part is ${bodyPart} (0018,0015); a chest radiograph is needed` });
  }
  if (rules.lateral.includes(view)) {
    refusals.push({ code: "LATERAL", text: `view is ${view} (0018,5101); a frontal view, PA or AP, is needed` });
  }
  return refused(...refusals);
}

function assessView(view: View, rules: GateRules): GateResult {
  const limits = rules.view_limits;
  const frontal = view.contents[rules.contents.indexOf("frontal")];
  const isFar = view.distance > rules.far * limits.unlike;
  if (frontal < limits.doubted_frontal) {
    const reason = content(view, frontal, rules);
    return isFar || frontal < limits.least_frontal ? refused(reason) : warned(reason);
  }
  const turned = 1 - view.turns[0];
  const reasons: Reason[] = [];
  if (view.inverted >= rules.doubted) {
    const text = `bones are dark (${percent(view.inverted)} sure); a film with bright bones is needed`;
    reasons.push({ code: "INVERTED", text });
  }
  if (turned >= rules.doubted) {
    const turn = rules.turns[view.turns.indexOf(Math.max(...view.turns))];
    const text = `the chest is turned by ${turn} degrees (${percent(turned)} sure); an upright one is needed`;
    reasons.push({ code: "ROTATED", text });
  }
  if (reasons.length === 0 && view.distance > limits.unlike) {
    const usual = `distance ${view.distance.toFixed(1)}, ${limits.unlike.toFixed(1)} is usual at most`;
    const text = `the picture is unlike the films that the gate has seen (${usual}); a score means nothing there`;
    return isFar ? refused({ code: "UNLIKE_TRAINING", text }) : warned({ code: "UNLIKE_TRAINING", text });
  }
  return refused(...reasons);
}

/** The most likely content that is not a whole frontal chest, as a reason. */
function content(view: View, frontal: number, rules: GateRules): Reason {
  const others = rules.contents.filter((name) => name !== "frontal");
  const chance = (name: string): number => view.contents[rules.contents.indexOf(name)];
  const name = others.reduce((best, one) => (chance(one) > chance(best) ? one : best));
  const sure = `${percent(1 - frontal)} sure`;
  if (name === "lateral") {
    return { code: "LATERAL", text: `looks like a lateral view (${sure}); a frontal one is needed` };
  }
  if (name === "part") {
    return { code: "LUNG_AREA", text: `shows a part of a chest (${sure}); the whole of both lungs is needed` };
  }
  return { code: "NOT_CHEST", text: `does not look like a chest radiograph (${sure})` };
}

function assessLungs(fraction: number, rules: GateRules): GateResult {
  if (fraction >= rules.least_lung && fraction <= rules.most_lung) return refused();
  const plausible = `${percent(rules.least_lung)} to ${percent(rules.most_lung)} is plausible`;
  return refused({ code: "LUNG_AREA", text: `lungs cover ${percent(fraction, 1)} of the image; ${plausible}` });
}

function assessContrast({ pixels, height, width }: Radiograph, rules: GateRules): GateResult {
  const step = Math.max(1, Math.floor(Math.sqrt(pixels.length / rules.enough)));
  const counts = new Uint32Array(256);
  let total = 0;
  for (let row = 0; row < height; row += step) {
    for (let column = 0; column < width; column += step) {
      counts[rint(pixels[row * width + column])]++;
      total++;
    }
  }
  const levels = counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  const reach = (share: number): number => {
    let sum = 0;
    for (let grey = 0; grey < 256; grey++) {
      sum += counts[grey];
      if (sum / total >= share) return grey;
    }
    return 256;
  };
  const spread = reach(0.99) - reach(0.01);
  if (levels >= rules.least_levels && spread >= rules.least_range * 255) return refused();
  const range = `with ${percent(spread / 255)} of the range between nearly all of them`;
  const reason = { code: "LOW_CONTRAST", text: `${levels} levels of grey, ${range}` };
  return levels < rules.least_levels ? refused(reason) : warned(reason);
}

function percent(share: number, digits = 0): string {
  return `${(100 * share).toFixed(digits)} %`;
}
