/** The finding next to the image: scores with their folds, why an image was refused, and how it was read. */

import type { Finding } from "../inference/finding";
import { find, make } from "./elements";
import { reasonsList } from "./reasons";
import { scoreAxis } from "./score_axis";

const TITLES = { scored: "Scored", refused: "Refused", failed: "Not readable", waiting: "Waiting" } as const;

/** Shows a finding; null empties the panel. */
export function showFinding(name: string, finding: Finding | null): void {
  const panel = find("finding-content");
  if (finding === null) {
    panel.replaceChildren(make("p", { class: "quiet" }, "Choose an image from the worklist."));
    return;
  }
  panel.replaceChildren(
    make(
      "div",
      { class: "title" },
      make("h2", { title: name }, name),
      make("span", { class: `status ${finding.status}`, id: "status" }, TITLES[finding.status]),
    ),
    ...scoreParts(finding),
    ...reasonsList(finding),
    details(finding),
  );
}

function scoreParts(finding: Finding): HTMLElement[] {
  if (finding.scores === null) return [];
  const classes = Object.keys(finding.scores);
  const parts = classes.map((name) => scoreBlock(name, finding));
  const kind = finding.calibrated ? "calibrated on images that the folds had not seen" : "not calibrated";
  const note = make("p", { class: "quiet small" }, `Scores are ${kind}. Dots: folds. Bar: 95 % interval of their mean.`);
  const why = finding.uncertainty_reason;
  const notice = why === null ? [] : [make("p", { class: "notice", id: "uncertainty" }, `Uncertain: ${why}.`)];
  const set = finding.conformal_set;
  const held = set === null ? [] : [make("p", { id: "conformal" }, `Prediction set: ${set.join(", ") || "no class"}`)];
  return [...notice, ...held, make("section", { "aria-label": "Scores", class: "scores" }, ...parts, note)];
}

function scoreBlock(name: string, finding: Finding): HTMLElement {
  const score = finding.scores?.[name] ?? 0;
  const interval = finding.interval?.[name] ?? null;
  const range = interval === null ? "" : `${interval[0].toFixed(3)} to ${interval[1].toFixed(3)}`;
  const isFirst = Object.keys(finding.scores ?? {})[0] === name;
  const points = isFirst ? finding.operating_points : {};
  return make(
    "div",
    { class: isFirst ? "score-block first" : "score-block" },
    make(
      "div",
      { class: "score-line" },
      make("h3", {}, name),
      make("span", { class: "value", "data-class": name }, score.toFixed(3)),
    ),
    scoreAxis(score, finding.folds?.[name] ?? [], interval, points) as unknown as HTMLElement,
    make("p", { class: "quiet small range" }, range === "" ? "" : `95 % over folds: ${range}`),
  );
}

function details(finding: Finding): HTMLElement {
  const rows: [string, string][] = [];
  const { radiograph, model } = finding;
  rows.push(...Object.entries(finding.identifiers ?? {}).map(([key, value]): [string, string] => [words(key), value]));
  if (radiograph !== null) {
    rows.push(["Image", `${radiograph.format}, ${radiograph.width} x ${radiograph.height} pixels`]);
    if (radiograph.spacing_mm !== null) {
      rows.push(["Pixel spacing", `${radiograph.spacing_mm.map((mm) => mm.toFixed(3)).join(" x ")} mm`]);
    }
    rows.push(...Object.entries(radiograph.tags).map(([key, value]): [string, string] => [words(key), value]));
  }
  if (finding.lung_area_fraction !== null) {
    rows.push(["Lung area", `${(100 * finding.lung_area_fraction).toFixed(1)} % of the image`]);
  }
  rows.push(["Model", `${model.name} ${model.version} (${model.sha256.slice(0, 8)})`]);
  const total = Object.values(finding.timing_ms).reduce((sum, one) => sum + one, 0);
  if (total > 0) rows.push(["Time", `${(total / 1000).toFixed(2)} s`]);
  const list = make("dl", {}, ...rows.flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]));
  const history = (radiograph?.history ?? []).map((step) => make("li", {}, step));
  return make(
    "details",
    {},
    make("summary", {}, "How it was read"),
    list,
    history.length > 0 ? make("ol", { class: "history" }, ...history) : null,
  );
}

/** "BodyPartExamined" as "Body part examined". */
function words(keyword: string): string {
  const spaced = keyword.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
