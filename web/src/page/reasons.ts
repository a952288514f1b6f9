/** Why an image was refused, or scored with a warning, and what would help. */

import type { Finding } from "../inference/finding";
import { make } from "./elements";

const HELP: Record<string, string | undefined> = {
  NOT_CHEST: "Give a frontal chest radiograph. Check that the right series was exported.",
  LATERAL: "Give the frontal view, PA or AP, of the same examination.",
  OBLIQUE: "Give the frontal view, PA or AP, of the same examination.",
  INVERTED: "Export the image with bright bones, or correct it with `cxrnet screen --auto-correct`.",
  ROTATED: "Turn the image upright, or correct it with `cxrnet screen --auto-correct`.",
  LUNG_AREA: "Give the whole image with both lungs inside, without large borders.",
  LOW_CONTRAST: "Export the image from the archive at its full depth, not as a screenshot.",
  UNLIKE_TRAINING: "Judge the image without a score; the model has not seen images like it.",
  CLIPPED: "Export the image from the archive at its full depth, without a window burned in.",
  DECUBITUS: "Give an upright or supine view of the same patient.",
  LORDOTIC: "Give a PA or AP view of the same patient.",
  MIRRORED: "Look for the side marker, and export the image unmirrored if left and right are exchanged.",
  COLOUR: "Export the image as grey, not as a photograph or a screenshot with colours.",
  MULTI_FRAME: "Give one image a file.",
  TOO_SMALL: "Give the image at its own size.",
  DECODER_TIME: "Try `cxrnet screen`, which reads more formats; the file may be damaged.",
};

/** The reasons and the warnings of a finding, as lists with headings. */
export function reasonsList(finding: Finding): HTMLElement[] {
  const parts: HTMLElement[] = [];
  if (finding.reasons.length > 0) {
    const titles = { scored: "Warnings of the gate", refused: "Why it was refused", failed: "Why it was not read", waiting: "" };
    const items = finding.reasons.map(({ code, text }) => {
      const help = HELP[code];
      const shown = code === "INTERNAL" || finding.status === "failed" ? text : sentence(text);
      return make(
        "li",
        {},
        make("p", {}, shown),
        help === undefined ? null : make("p", { class: "help" }, help),
        make("code", { class: "quiet" }, code),
      );
    });
    const kind = finding.status === "scored" ? "reasons warning" : "reasons";
    const list = make("ul", {}, ...items);
    parts.push(make("section", { class: kind, id: "reasons" }, make("h3", {}, titles[finding.status]), list));
  }
  if (finding.warnings.length > 0) {
    const items = finding.warnings.map((text) => make("li", {}, text));
    parts.push(make("section", { class: "notes" }, make("h3", {}, "Notes on the file"), make("ul", {}, ...items)));
  }
  return parts;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
