// Builds the page into dist/: the scripts, the style, and the WebAssembly that they run.
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const out = new URL("dist/", import.meta.url).pathname;
const modules = new URL("node_modules/", import.meta.url).pathname;

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const common = { bundle: true, minify: true, format: "iife", target: "es2022", legalComments: "none", outdir: out };
await build({ ...common, entryPoints: { app: "src/page/main.ts", style: "src/page/style.css" } });
// A classic worker: a module worker made from a blob fails without a word on file://. The runtime asks for the address
// of its module only to find its files, which it is given.
await build({
  ...common,
  entryPoints: { worker: "src/worker.ts" },
  define: { "import.meta.url": "self.__scriptAddress" },
  banner: { js: 'self.__scriptAddress="https://cxrnet.invalid/worker.js";' },
  alias: { fs: "./src/empty.ts", path: "./src/empty.ts" },
});

const copies = {
  "src/page/index.html": "index.html",
  [`${modules}onnxruntime-web/dist/ort-wasm-simd-threaded.wasm`]: "ort.wasm",
  [`${modules}onnxruntime-web/dist/ort-wasm-simd-threaded.mjs`]: "ort.mjs",
  [`${modules}@cornerstonejs/codec-openjpeg/dist/openjpegwasm_decode.wasm`]: "openjpeg.wasm",
  [`${modules}@cornerstonejs/codec-charls/dist/charlswasm_decode.wasm`]: "charls.wasm",
  [`${modules}@cornerstonejs/codec-libjpeg-turbo-8bit/dist/libjpegturbowasm_decode.wasm`]: "libjpegturbo.wasm",
};
await Promise.all(Object.entries(copies).map(([from, to]) => copyFile(from, `${out}${to}`)));

// What the page is made of, and under which terms.
const licences = [];
for (const name of Object.keys(JSON.parse(await readFile("package.json", "utf8")).dependencies)) {
  const about = JSON.parse(await readFile(`${modules}${name}/package.json`, "utf8"));
  const text = await readFile(`${modules}${name}/LICENSE`, "utf8").catch(() => "");
  licences.push(`${name} ${about.version}, licence ${about.license}\n\n${text}`);
}
await writeFile(`${out}licences.txt`, licences.join("\n\n"));
