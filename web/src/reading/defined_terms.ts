/** The terms that a kept attribute may hold, and what they say of an image: `cxrnet.imaging.defined_terms`. */

/** Words in capitals without accents, from the Python side. */
export interface Terms {
  /** By keyword: attributes of which only whole values are known. */
  whole_values: Readonly<Record<string, readonly string[]>>;
  known: readonly string[];
  chest: readonly string[];
  /** Parts that do not speak against a chest named with them. */
  in_chest: readonly string[];
  other_parts: readonly string[];
  lateral: readonly string[];
  frontal: readonly string[];
  decubitus: readonly string[];
  oblique: readonly string[];
  lordotic: readonly string[];
  supine: readonly string[];
  /** Pattern of two known words written as one, with the words as its groups. */
  compound: string;
  /** Code of a region or view -> its word. */
  codes: Readonly<Record<string, string>>;
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
  const known = words(text, terms).filter((word) => terms.known.includes(word) || /^[0-9]$/.test(word));
  return known.length > 0 ? known.join(" ") : unknown(text, terms);
}

/** Which part of the body a text names; "" where it names none. */
export function bodyPart(text: string, terms: Terms): "chest" | "other" | "both" | "" {
  const found = words(text, terms);
  const isChest = names(found, terms.chest);
  const isOther = found.some((word) => terms.other_parts.includes(word) && !(isChest && terms.in_chest.includes(word)));
  if (isOther) return isChest ? "both" : "other";
  return isChest ? "chest" : "";
}

export type Projection = "lateral" | "oblique" | "decubitus" | "lordotic" | "frontal" | "";

/** Which view a text names; "" where it names none, or is lateral and frontal. */
export function projection(text: string, terms: Terms): Projection {
  const found = words(text, terms);
  const isLateral = names(found, terms.lateral) || (found.includes("SIDE") && found.includes("VIEW"));
  if (names(found, terms.decubitus) && (isLateral || !names(found, terms.supine))) return "decubitus";
  if (names(found, terms.oblique)) return "oblique";
  if (names(found, terms.lordotic) && !isLateral) return "lordotic";
  if (isLateral === names(found, terms.frontal)) return "";
  return isLateral ? "lateral" : "frontal";
}

/** What a code means, "" for an unknown one: `cxrnet.imaging.coded_terms`. */
export function codedTerm(value: string, scheme: string, terms: Terms): string {
  const isPrivate = scheme.startsWith("99") && scheme !== "99SDM";
  return isPrivate || !Object.hasOwn(terms.codes, value) ? "" : terms.codes[value];
}

/** What a Patient Orientation says; mirrored: left and right are exchanged. */
export function plane(orientation: string): "lateral" | "mirrored" | "frontal" | "" {
  const [row, column = ""] = orientation.trim().toUpperCase().split("\\");
  const first = row.slice(0, 1) + column.slice(0, 1);
  if (/^([AP][HF]?|[HF][AP])$/.test(first)) return "lateral";
  if (["RF", "FL", "LH", "HR"].includes(first)) return "mirrored";
  return ["LF", "FR", "RH", "HL"].includes(first) ? "frontal" : "";
}

function names(found: readonly string[], known: readonly string[]): boolean {
  return found.some((word) => known.includes(word));
}

/** The words of a text in capitals without accents; anything but letters and digits parts them. */
function words(text: string, terms: Terms): string[] {
  const plain = [...text.toUpperCase().normalize("NFKD")].filter((letter) => letter <= "~").join("");
  const joined = plain.replace(/\b(?:([AP])[./-]([AP])|(L)[./-](L))\b/g, "$1$2$3$4");
  const compound = new RegExp(`^(?:${terms.compound})$`);
  return (joined.match(/[A-Z]+|[0-9]+/g) ?? []).flatMap((word) => {
    const parts = terms.known.includes(word) ? null : compound.exec(word);
    return parts === null ? [word] : parts.slice(1).filter((part) => part);
  });
}

function unknown(text: string, terms: Terms): string {
  return words(text, terms).length > 0 ? terms.unknown : "";
}
