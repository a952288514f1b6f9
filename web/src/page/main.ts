/** The page: starts its source of findings and connects worklist, image view and finding. */

import { loadAssets } from "./assets";
import { find, make, save } from "./elements";
import { chosenFiles, droppedFiles } from "./files";
import { showFinding } from "./finding_panel";
import { Comparison } from "./comparison";
import { key, listenForKeys, type Key } from "./keyboard";
import { Overlays } from "./overlays";
import { ServiceSource } from "./service_source";
import type { FindingSource, Listener, NamedFile, OpenedImage, ShownModel } from "./source";
import { Viewer, type Tool } from "./viewer";
import { WorkerSource } from "./worker_source";
import { Worklist } from "./worklist";

class Page {
  private opened: OpenedImage | null = null;
  private wanted: number | null = null;
  private readonly viewer: Viewer;
  private readonly comparison: Comparison;
  private readonly worklist: Worklist;
  private overlays: Overlays | null = null;
  private source: FindingSource | null = null;

  constructor() {
    this.worklist = new Worklist((number) => void this.open(number));
    const [image, overlay] = ["image", "overlay"].map((id) => find(id) as HTMLCanvasElement);
    this.viewer = new Viewer(find("stage"), image, overlay, ({ zoom, low, high, isInverted, quarters }) => {
      const level = `window ${percent(high - low)} at ${percent((low + high) / 2)}`;
      const turn = quarters === 0 ? "" : `  ·  turned ${90 * quarters}°`;
      const shown = this.opened?.image === null || this.opened === null;
      find("state").textContent = shown ? "" : `${Math.round(100 * zoom)} %  ·  ${level}${turn}`;
      find("invert").setAttribute("aria-pressed", String(isInverted));
    });
    this.comparison = new Comparison(this.viewer);
    this.connect();
  }

  async start(): Promise<void> {
    const listener: Listener = {
      changed: (entry) => {
        this.worklist.change(entry);
        if (this.wanted === null) this.worklist.select(entry.number);
        else if (entry.number === this.wanted && this.opened?.finding.status !== entry.status) void this.open(entry.number);
      },
      removed: (number) => {
        if (this.wanted === number) this.close();
        this.worklist.remove(number);
      },
      notice: (text) => {
        this.tell(text);
      },
    };
    const isService = document.documentElement.dataset["source"] === "service";
    const source = isService ? await ServiceSource.connect(listener) : new WorkerSource(await loadAssets(), listener);
    const model: ShownModel = source.model;
    this.overlays = new Overlays(
      model,
      (shown) => {
        this.viewer.setOverlay(shown);
      },
      (shown) => {
        this.comparison.viewer.setOverlay(shown);
      },
    );
    this.overlays.show(null);
    this.comparison.start(model, this.overlays, source.other);
    find("model").textContent = `model ${model.name} ${model.version} (${model.sha256.slice(0, 8)})`;
    find("score-heading").textContent = model.classes[0];
    find("place").textContent = find("hint-place").textContent = `Screened ${source.place}.`;
    const archive = model.archive ?? null;
    find("study").hidden = archive === null;
    find("fetch-study").title = `From ${archive ?? "no server"}`;
    this.source = source; // entries of an earlier run arrive while it starts
    await source.start();
    for (const id of ["add", "add-folder"]) (find(id) as HTMLButtonElement).disabled = false;
    document.documentElement.dataset["ready"] = "true";
  }

  tell(text: string | null): void {
    const box = find("message");
    box.textContent = text ?? "";
    box.hidden = text === null;
  }

  private async open(number: number): Promise<void> {
    if (this.source === null) return;
    this.wanted = number;
    const opened = await this.source.open(number);
    const entry = this.worklist.current;
    if (this.wanted !== number || entry === null) return; // another one was chosen in the meantime
    const isSame = this.opened !== null && this.opened.image === opened.image;
    this.opened = opened;
    if (!isSame) this.viewer.show(opened.image);
    find("hint").hidden = opened.image !== null;
    this.overlays?.show(opened);
    this.attempt(this.comparison.choose({ number, name: entry.name, opened }));
    showFinding(entry.name, opened.finding);
    find("exports").hidden = false;
    (find("save-png") as HTMLButtonElement).disabled = opened.image === null;
    const downloads = this.source.downloads(number).map(({ label, load }) => {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", () => {
        this.attempt(load().then(({ name, content }) => {
          save(name, content);
        }));
      });
      return button;
    });
    find("downloads").replaceChildren(...downloads);
    find("objects").hidden = downloads.length === 0;
  }

  private close(): void {
    this.wanted = null;
    this.opened = null;
    this.viewer.show(null);
    this.overlays?.show(null);
    void this.comparison.choose(null);
    find("hint").hidden = false;
    find("exports").hidden = true;
    showFinding("", null);
  }

  private add(files: Promise<NamedFile[]>): void {
    this.attempt(
      files.then((found) => {
        if (found.length === 0) throw new Error("no image files were found; DICOM, PNG and JPEG files are accepted");
        return this.source?.add(found);
      }),
    );
  }

  private fetchStudy(): void {
    if (this.source === null) return;
    const field = find("study-uid") as HTMLInputElement;
    const button = find("fetch-study") as HTMLButtonElement;
    button.disabled = true;
    const fetched = this.source.fetchStudy(field.value.trim()).then(() => {
      field.value = "";
    });
    this.attempt(
      fetched.finally(() => {
        button.disabled = false;
      }),
    );
  }

  private attempt(work: Promise<unknown>): void {
    this.tell(null);
    work.catch((error: unknown) => {
      this.tell(error instanceof Error ? error.message : String(error));
    });
  }

  private connect(): void {
    const saves = { "save-png": this.savePicture.bind(this), "save-json": this.saveRecord.bind(this) };
    for (const [id, run] of Object.entries(saves)) find(id).addEventListener("click", run);
    for (const [button, input] of [
      ["add", "file-input"],
      ["add-folder", "folder-input"],
    ]) {
      const field = find(input) as HTMLInputElement;
      find(button).addEventListener("click", () => {
        field.click();
      });
      field.addEventListener("change", () => {
        this.add(chosenFiles([...(field.files ?? [])]));
        field.value = "";
      });
    }
    find("theme").addEventListener("click", switchTheme);
    find("study").addEventListener("submit", (event) => {
      event.preventDefault();
      this.fetchStudy();
    });
    this.connectDrop();
    listenForKeys(this.keys());
  }

  private connectDrop(): void {
    let depth = 0;
    const shade = find("drop");
    document.addEventListener("dragenter", () => {
      depth++;
      shade.hidden = false;
    });
    document.addEventListener("dragleave", () => {
      depth--;
      shade.hidden = depth > 0 ? shade.hidden : true;
    });
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      shade.hidden = true;
      if (event.dataTransfer !== null && this.source !== null) this.add(droppedFiles(event.dataTransfer));
    });
  }

  private keys(): Key[] {
    const maps = ["Heat map of the first class", "Of the second", "Difference, or of the third"];
    const step = (places: number) => (): void => {
      this.worklist.step(places);
    };
    const each = (run: (viewer: Viewer) => void) => (): void => {
      for (const viewer of [this.viewer, this.comparison.viewer]) run(viewer);
    };
    const use = (tool: Tool) => (): void => {
      this.useTool(tool);
    };
    return [
      key("↓ Page down", "Next image", step(1), null, ["ArrowDown", "PageDown"]),
      key("↑ Page up", "Previous image", step(-1), null, ["ArrowUp", "PageUp"]),
      key("Space", "All overlays away, and back", () => this.overlays?.toggleAll(), null, [" "]),
      ...maps.map((what, at) => key(String(at + 1), what, () => this.overlays?.toggleMap(at))),
      key("L", "Outline of the lungs", () => this.overlays?.toggleOutline(), "lungs"),
      key("[", "Heat map fainter", () => this.overlays?.changeOpacity(-5)),
      key("]", "Heat map stronger", () => this.overlays?.changeOpacity(5)),
      key("W", "Drag: window and level", use("window"), "tool-window"),
      key("P", "Drag: move", use("pan"), "tool-pan"),
      key("F", "Fit into the view", each((viewer) => { viewer.fit(); }), "fit"),
      key("O", "One pixel to one", each((viewer) => { viewer.fullSize(); }), "full-size"),
      key("+", "Closer", () => { this.viewer.zoom(1.25); }, null, ["+", "="]),
      key("-", "Further away", () => { this.viewer.zoom(0.8); }),
      key("I", "Invert", each((viewer) => { viewer.invert(); }), "invert"),
      key("T", "Turn by 90 degrees", each((viewer) => { viewer.turn(); }), "turn"),
      key("R", "Window, polarity, turn and place as at first", each((viewer) => { viewer.reset(); }), "reset"),
      key("C", "Keep the image next to later ones, and away", () => { this.comparison.toggleImage(); }, "compare"),
      key("M", "What the second model finds, and away", () => { this.attempt(this.comparison.toggleModel()); }, "other-model"),
      key("Delete", "Remove the image from the worklist", () => { this.remove(); }, "remove"),
    ];
  }

  private useTool(tool: Tool): void {
    this.viewer.tool = this.comparison.viewer.tool = tool;
    for (const each of ["window", "pan"]) find(`tool-${each}`).setAttribute("aria-pressed", String(each === tool));
    for (const id of ["stage", "second"]) find(id).dataset["tool"] = tool;
  }

  private savePicture(): void {
    const name = this.worklist.current?.name ?? "image";
    this.viewer.picture()?.toBlob((blob) => {
      if (blob !== null) save(`${stem(name)}.cxrnet.png`, blob);
    });
  }

  private saveRecord(): void {
    if (this.opened === null) return;
    const name = this.worklist.current?.name ?? "image";
    const text = `${JSON.stringify(this.opened.finding, null, 2)}\n`;
    save(`${stem(name)}.finding.json`, new Blob([text], { type: "application/json" }));
  }

  private remove(): void {
    if (this.wanted !== null && this.source !== null) this.attempt(this.source.remove(this.wanted));
  }
}

function switchTheme(): void {
  const root = document.documentElement;
  const isDark = root.dataset["theme"] !== "light";
  root.dataset["theme"] = isDark ? "light" : "dark";
  find("theme").textContent = isDark ? "Dark" : "Light";
}

function percent(value: number): string {
  return `${Math.round(value / 655.35)} %`;
}

function stem(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, "");
}

const page = new Page();
page.start().catch((error: unknown) => {
  const why = error instanceof Error ? error.message : String(error);
  page.tell(`The page cannot start: ${why}`);
});
