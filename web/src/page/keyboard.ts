/** The keys of the page, and the list of them. */

import { find, make } from "./elements";

export interface Key {
  keys: string[];
  shown: string;
  what: string;
  run: () => void;
  /** Id of the button that does the same, if there is one. */
  button: string | null;
}

/** A key by itself, or several that do the same. */
export function key(shown: string, what: string, run: () => void, button: string | null = null, keys = [shown.toLowerCase()]): Key {
  return { keys, shown, what, run, button };
}

/** Runs keys wherever the focus is, except where text is typed or an element has a use of its own for the key. */
export function listenForKeys(keys: Key[]): void {
  const dialog = find("keys") as HTMLDialogElement;
  for (const { button, run } of keys) if (button !== null) find(button).addEventListener("click", run);
  const open = (): void => {
    if (!dialog.open) dialog.showModal();
  };
  find("keys-button").addEventListener("click", open);
  find("keys-list").replaceChildren(
    ...[...keys, { shown: "?", what: "This list" }].flatMap(({ shown, what }) => [
      make("dt", {}, make("kbd", {}, shown)),
      make("dd", {}, what),
    ]),
  );
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const target = event.target as HTMLElement;
    if (target.matches("select, input:not([type=range])")) return;
    if (target.matches("input[type=range]") && event.key.startsWith("Arrow")) return;
    if (target.matches("button, summary") && (event.key === " " || event.key === "Enter")) return;
    if (event.key === "?") {
      open();
      return;
    }
    const found = keys.find((key) => key.keys.includes(event.key) || key.keys.includes(event.key.toLowerCase()));
    if (found === undefined) return;
    event.preventDefault();
    found.run();
  });
}
