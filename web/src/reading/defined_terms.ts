/** The terms that a kept attribute may hold, and what they say of an image: `cxrnet.imaging.defined_terms`. */

/** Words in capitals without accents, from the Python side. */
export interface Terms {
  /** By keyword: attributes of which only whole values are known. */
  whole_values: Readonly<Record<string, readonly string[]>>;
  known: readonly string[];
  other_parts: readonly string[];
  lateral: readonly string[];
  frontal: readonly string[];
  decubitus: readonly string[];
  oblique: readonly string[];
  radiography: readonly string[];
  /** What stands for a value without a known term. */
  unknown: string;
}

const ORIENTATION = /^[APHFLR]{1,3}$/; // PS3.3 C.7.6.1.1.1, of a biped

/** What may be shown of the value of an attribute: its known terms, or `unknown`; "" where it is empty. */
export function presentable(keyword: string, text: string, terms: Terms): string {
  if (keyword === "PatientOrientation") {
    const parts = text.split("\\").map((part) => part.trim().toUpperCase());
    return parts.every((part) => part === "" || ORIENTATION.test(part)) ? parts.join("\\") : unknown(text, terms);
  }
  if (keyword in terms.whole_values) {
    const value = text.trim().toUpperCase();
    return terms.whole_values[keyword].includes(value) ? value : unknown(text, terms);
  }
  const known = words(text).filter((word) => terms.known.includes(word) || /^[0-9]$/.test(word));
  return known.length > 0 ? known.join(" ") : unknown(text, terms);
}

/** Whether a text names another part of the body than the chest. */
export function isOtherPart(text: string, terms: Terms): boolean {
  return names(text, terms.other_parts);
}

/** Which view a text names; "" where it names none, a frontal one, or two of them. */
export function projection(text: string, terms: Terms): "lateral" | "oblique" | "decubitus" | "" {
  if (names(text, terms.decubitus)) return "decubitus";
  if (names(text, terms.oblique)) return "oblique";
  return names(text, terms.lateral) && !names(text, terms.frontal) ? "lateral" : "";
}

/** What a Patient Orientation says against an upright frontal view; mirrored: left and right are exchanged. */
export function plane(orientation: string): "lateral" | "mirrored" | "" {
  const [row, column = ""] = orientation.trim().toUpperCase().split("\\");
  const first = row.slice(0, 1) + column.slice(0, 1);
  if (/^([AP][HF]?|[HF][AP])$/.test(first)) return "lateral";
  return ["RF", "FL", "LH", "HR"].includes(first) ? "mirrored" : "";
}

function names(text: string, known: readonly string[]): boolean {
  return words(text).some((word) => known.includes(word));
}

/** The words of a text in capitals without accents; anything but letters and digits parts them. */
function words(text: string): string[] {
  const plain = [...text.toUpperCase().normalize("NFKD")].filter((letter) => letter <= "~").join("");
  return plain.replace(/\b([AP])[./-]([AP])\b/g, "$1$2").match(/[A-Z]+|[0-9]+/g) ?? [];
}

function unknown(text: string, terms: Terms): string {
  return words(text).length > 0 ? terms.unknown : "";
}
