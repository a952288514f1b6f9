/** The worklist: one row an image, sorted and filtered, followed with the keyboard. */

import { find, make } from "./elements";
import type { Entry, EntryStatus } from "./source";

type Order = "number" | "name" | "status" | "score";

const STATUS_ORDER: EntryStatus[] = ["scored", "refused", "failed", "screening", "waiting"];
const STATUS_TEXT: Record<EntryStatus, string> = {
  scored: "Scored",
  refused: "Refused",
  failed: "Failed",
  screening: "Screening",
  waiting: "Waiting",
};

export class Worklist {
  private readonly entries = new Map<number, Entry>();
  private readonly rows = new Map<number, HTMLTableRowElement>();
  private order: Order = "number";
  private isDescending = false;
  private selected: number | null = null;
  private frame = 0;
  private readonly body = find("rows");
  private readonly search = find("search") as HTMLInputElement;
  private readonly filter = find("filter") as HTMLSelectElement;

  constructor(private readonly chosen: (number: number) => void) {
    this.search.addEventListener("input", () => {
      this.arrange();
    });
    this.filter.addEventListener("change", () => {
      this.arrange();
    });
    for (const button of document.querySelectorAll<HTMLButtonElement>("#worklist th button")) {
      button.addEventListener("click", () => {
        this.sortBy(button.dataset["order"] as Order);
      });
    }
    this.body.addEventListener("click", (event) => {
      const row = (event.target as Element).closest("tr");
      if (row !== null) this.select(Number(row.dataset["number"]));
    });
  }

  change(entry: Entry): void {
    this.entries.set(entry.number, entry);
    let row = this.rows.get(entry.number);
    if (row === undefined) {
      row = make("tr", { "data-number": entry.number });
      this.rows.set(entry.number, row);
    }
    const score = entry.score === null ? "" : entry.score.toFixed(3);
    const status = make("span", { class: `status ${entry.status}` }, STATUS_TEXT[entry.status]);
    row.replaceChildren(
      make("td", { class: "name", title: entry.name }, make("button", { type: "button", tabindex: -1 }, entry.name)),
      make("td", {}, status),
      make("td", { class: entry.isUncertain ? "score uncertain" : "score" }, score),
    );
    this.mark(entry.number);
    this.arrangeSoon();
  }

  remove(number: number): void {
    const next = this.neighbour(1) ?? this.neighbour(-1);
    this.entries.delete(number);
    this.rows.get(number)?.remove();
    this.rows.delete(number);
    if (this.selected === number) {
      this.selected = null;
      if (next !== null) this.select(next);
    }
    this.arrange();
  }

  select(number: number): void {
    const before = this.selected;
    this.selected = number;
    if (before !== null) this.mark(before);
    this.mark(number);
    this.rows.get(number)?.scrollIntoView({ block: "nearest" });
    this.chosen(number);
  }

  /** Selects the row so many places further down, as they are shown. */
  step(places: number): void {
    const next = this.neighbour(places);
    if (next !== null) this.select(next);
  }

  get current(): Entry | null {
    return this.selected === null ? null : (this.entries.get(this.selected) ?? null);
  }

  private neighbour(places: number): number | null {
    const shown = [...this.body.children].map((row) => Number((row as HTMLElement).dataset["number"]));
    if (shown.length === 0) return null;
    const at = this.selected === null ? -1 : shown.indexOf(this.selected);
    if (at === -1) return shown[0];
    const to = Math.min(shown.length - 1, Math.max(0, at + places));
    return to === at ? null : shown[to];
  }

  private mark(number: number): void {
    this.rows.get(number)?.setAttribute("aria-selected", String(number === this.selected));
  }

  private sortBy(order: Order): void {
    this.isDescending = this.order === order ? !this.isDescending : order === "score";
    this.order = order;
    for (const heading of document.querySelectorAll<HTMLElement>("#worklist th")) {
      const isActive = heading.querySelector("button")?.dataset["order"] === order;
      heading.setAttribute("aria-sort", isActive ? (this.isDescending ? "descending" : "ascending") : "none");
    }
    this.arrange();
  }

  private arrangeSoon(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.arrange();
    });
  }

  private arrange(): void {
    const text = this.search.value.trim().toLowerCase();
    const status = this.filter.value;
    const isShown = (entry: Entry): boolean =>
      (text === "" || entry.name.toLowerCase().includes(text)) &&
      (status === "" || status === entry.status || (status === "uncertain" && entry.isUncertain));
    const sign = this.isDescending ? -1 : 1;
    const shown = [...this.entries.values()].filter(isShown).sort((a, b) => sign * this.compare(a, b));
    const rows = shown.map((entry) => this.rows.get(entry.number)).filter((row) => row !== undefined);
    const isSame = rows.length === this.body.children.length && rows.every((row, at) => this.body.children[at] === row);
    if (!isSame) this.body.replaceChildren(...rows);
    const counted = (one: EntryStatus): number => [...this.entries.values()].filter((each) => each.status === one).length;
    const open = counted("waiting") + counted("screening");
    const done = this.entries.size - open;
    find("count").textContent =
      this.entries.size === 0 ? "" : `${done} of ${this.entries.size} screened${open > 0 ? ", working" : ""}`;
    find("empty").hidden = this.entries.size > 0;
  }

  private compare(a: Entry, b: Entry): number {
    if (this.order === "name") return a.name.localeCompare(b.name, undefined, { numeric: true }) || a.number - b.number;
    if (this.order === "status") {
      return STATUS_ORDER.indexOf(a.status) - STATUS_ORDER.indexOf(b.status) || a.number - b.number;
    }
    if (this.order === "score") return (a.score ?? -1) - (b.score ?? -1) || a.number - b.number;
    return a.number - b.number;
  }
}
