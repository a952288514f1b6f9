/** Whether an image may be given a score at all, and whether the score comes with a warning: `cxrnet.screening.gate`. */

import { bodyPart, plane, projection, type Terms } from "../reading/defined_terms";
import type { Radiograph } from "../reading/radiograph";
import { checkClipping, checkContrast } from "./gate_pixels";
import type { Maps, Reason } from "./finding";
import { refused, warned, type GateResult } from "./gate_result";
import type { GateRules } from "./model";
import { decimal, percent } from "./numbers";

/** What the network of the gate says of a prepared image. */
export interface View {
  contents: number[];
  turns: number[];
  inverted: number;
  distance: number;
}

export function checkImage(radiograph: Radiograph, view: View, maps: Maps, rules: GateRules, terms: Terms): GateResult {
  const parts = [
    checkTags(radiograph.tags, terms),
    checkView(view, rules),
    checkLungs(lungAreaFraction(maps), rules),
    checkClipping(radiograph, maps, rules),
    checkContrast(radiograph, rules),
  ];
  return { refusals: parts.flatMap((part) => part.refusals), warnings: parts.flatMap((part) => part.warnings) };
}

/** Share of the prepared image that is lung. */
export function lungAreaFraction({ lungProbability }: Maps): number {
  let count = 0;
  for (let at = 0; at < lungProbability.length; at++) if (lungProbability[at] > 0.5) count++;
  return count / lungProbability.length;
}

type Named = readonly (readonly [keyword: string, name: string, tag: string])[];

const PARTS: Named = [
  ["BodyPartExamined", "body part", "0018,0015"],
  ["AnatomicRegionSequence", "anatomic region", "0008,2218"],
];
const VIEWS: Named = [
  ["ViewPosition", "view", "0018,5101"],
  ["ViewCodeSequence", "view", "0054,0220"],
  ["BodyPartExamined", "body part", "0018,0015"],
];
/** Free text, used where no defined term is given; that of a study or a procedure names both of two views. */
const VIEW_TEXTS: Named = [
  ["SeriesDescription", "series description", "0008,103e"],
  ["ProtocolName", "protocol", "0018,1030"],
  ["AcquisitionDeviceProcessingDescription", "processing", "0018,1400"],
];
const PART_TEXTS: Named = [
  ...VIEW_TEXTS,
  ["PerformedProcedureStepDescription", "procedure", "0040,0254"],
  ["StudyDescription", "study description", "0008,1030"],
];
const OF_SEVERAL_IMAGES: readonly string[] = ["PerformedProcedureStepDescription", "StudyDescription"];

/** What the DICOM attributes say against an upright frontal chest radiograph; unknown terms say nothing. */
function checkTags(tags: Record<string, string>, terms: Terms): GateResult {
  const refusals: Reason[] = [];
  const warnings: Reason[] = [];
  const text = (keyword: string): string => tags[keyword] ?? "";
  const modality = text("Modality").trim().toUpperCase();
  if (modality !== "" && text("Modality") !== terms.unknown && !terms.radiography.includes(modality)) {
    refusals.push({ code: "NOT_CHEST", text: `modality is ${modality} (0008,0060); a chest radiograph is CR or DX` });
  }
  const part = (keyword: string): string => bodyPart(text(keyword), terms);
  for (const [keyword, name, tag] of naming(PARTS, PART_TEXTS, part, "chest")) {
    const named = part(keyword);
    const what = `${name} is ${text(keyword)} (${tag})`;
    if (named === "both" && OF_SEVERAL_IMAGES.includes(keyword)) {
      warnings.push({ code: "NOT_CHEST", text: `${what}; this image may be one of another part than the chest` });
    } else if (named === "other" || named === "both") {
      refusals.push({ code: "NOT_CHEST", text: `${what}; a chest radiograph is needed` });
    }
  }
  const shown = plane(text("PatientOrientation"));
  const view = (keyword: string): string => projection(text(keyword), terms);
  for (const [keyword, name, tag] of naming(VIEWS, shown === "" ? VIEW_TEXTS : [], view, "frontal")) {
    const named = view(keyword);
    const what = `${name} is ${text(keyword)} (${tag})`;
    if (named === "lateral") refusals.push({ code: "LATERAL", text: `${what}; a frontal view, PA or AP, is needed` });
    if (named === "oblique") refusals.push({ code: "OBLIQUE", text: `${what}; a frontal view, PA or AP, is needed` });
    if (named === "decubitus") {
      warnings.push({ code: "DECUBITUS", text: `${what}; the models were trained on upright and supine chests` });
    }
    if (named === "lordotic") {
      warnings.push({ code: "LORDOTIC", text: `${what}; the models were trained on PA and AP views` });
    }
  }
  const what = `patient orientation is ${text("PatientOrientation")} (0020,0020)`;
  if (shown === "lateral") refusals.push({ code: "LATERAL", text: `${what}; a frontal view, L\\F, is needed` });
  if (shown === "mirrored") {
    warnings.push({ code: "MIRRORED", text: `${what}: left and right are exchanged; L\\F is expected` });
  }
  return { refusals, warnings };
}

/**
 * Attributes that name a body part or a view: those of defined terms, or else free text. Free text is used only if no
 * attribute of defined terms names one, and if no text names what is expected.
 */
function naming(terms: Named, texts: Named, meaning: (keyword: string) => string, expected: string): Named {
  const speaks = (named: Named): Named => named.filter(([keyword]) => meaning(keyword) !== "");
  const found = speaks(terms);
  if (found.length > 0) return found;
  const free = speaks(texts);
  return free.some(([keyword]) => meaning(keyword) === expected) ? [] : free.slice(0, 1);
}

function checkView(view: View, rules: GateRules): GateResult {
  const limits = rules.view_limits;
  const frontal = view.contents[rules.contents.indexOf("frontal")];
  const isFar = view.distance > rules.max_relative_distance * limits.unlike;
  if (frontal < limits.doubted_frontal) {
    const reason = content(view, frontal, rules);
    return isFar || frontal < limits.least_frontal ? refused(reason) : warned(reason);
  }
  const turned = 1 - view.turns[0];
  const reasons: Reason[] = [];
  if (view.inverted >= rules.min_probability) {
    const text = `bones are dark (${percent(view.inverted)} sure); an image with bright bones is needed`;
    reasons.push({ code: "INVERTED", text });
  }
  if (turned >= rules.min_probability) {
    const turn = rules.turns[view.turns.indexOf(Math.max(...view.turns))];
    const text = `the chest is turned by ${turn} degrees (${percent(turned)} sure); an upright one is needed`;
    reasons.push({ code: "ROTATED", text });
  }
  if (reasons.length === 0 && view.distance > limits.unlike) {
    const usual = `distance ${decimal(view.distance, 1)}, ${decimal(limits.unlike, 1)} is usual at most`;
    const text = `the image is unlike those that the gate was trained on (${usual}); a score means nothing there`;
    return isFar ? refused({ code: "UNLIKE_TRAINING", text }) : warned({ code: "UNLIKE_TRAINING", text });
  }
  return refused(...reasons);
}

/** The most likely content that is not a whole frontal chest, as a reason. */
function content(view: View, frontal: number, rules: GateRules): Reason {
  const others = rules.contents.filter((name) => name !== "frontal");
  const probability = (name: string): number => view.contents[rules.contents.indexOf(name)];
  const name = others.reduce((best, one) => (probability(one) > probability(best) ? one : best));
  const sure = `${percent(1 - frontal)} sure`;
  if (name === "lateral") {
    return { code: "LATERAL", text: `looks like a lateral view (${sure}); a frontal one is needed` };
  }
  if (name === "part") {
    return { code: "LUNG_AREA", text: `shows a part of a chest (${sure}); the whole of both lungs is needed` };
  }
  return { code: "NOT_CHEST", text: `does not look like a chest radiograph (${sure})` };
}

function checkLungs(fraction: number, rules: GateRules): GateResult {
  if (fraction >= rules.min_lung && fraction <= rules.max_lung) return refused();
  const plausible = `${percent(rules.min_lung)} to ${percent(rules.max_lung)} is plausible`;
  return refused({ code: "LUNG_AREA", text: `lungs cover ${percent(fraction, 1)} of the image; ${plausible}` });
}
