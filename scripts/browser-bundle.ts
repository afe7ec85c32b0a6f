// The built package as a page takes it: bundled for browsers, minified, cut where modules are imported on demand.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** What a browser may download at once for the engine and AEVB, gzipped. */
export const coreLimit = 60 * 1024;

export interface Script {
  /** Path below the folder of the page. */
  readonly name: string;
  readonly contents: Uint8Array;
  readonly gzippedBytes: number;
  /** Its modules, largest first, for saying what it consists of. */
  readonly modules: readonly string[];
}

export interface BrowserBundle {
  /** The entry and all it imports statically, entry first: what the page loads before it runs. */
  readonly initial: readonly Script[];
  /** What is imported on demand. */
  readonly lazy: readonly Script[];
}

/** Bundles a module given as text. The package's own names go through its exports to dist/, so that must be built. */
export async function browserBundle(entry: string): Promise<BrowserBundle> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL("..", import.meta.url)), loader: "ts" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2023",
    // The browser condition takes the BLAS stub, and an import of one of Node's modules fails the build. Without the
    // tsconfig the package's own names are not mapped to the sources.
    platform: "browser",
    tsconfigRaw: {},
    outdir: "out",
    metafile: true,
    write: false,
    logLevel: "error",
  });
  const { outputs } = metafile;
  const script = (path: string): Script => {
    const name = basename(path);
    const { contents } = outputFiles.find((file) => basename(file.path) === name)!;
    const modules = Object.entries(outputs[path]!.inputs).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
    const gzippedBytes = gzipSync(contents, { level: 9 }).byteLength;
    return { name, contents, gzippedBytes, modules: modules.map(([input]) => basename(input)) };
  };
  const initial = new Set(Object.keys(outputs).filter((path) => outputs[path]!.entryPoint === "<stdin>"));
  for (const path of initial) {
    for (const { path: imported, kind } of outputs[path]!.imports)
      if (kind === "import-statement") initial.add(imported);
  }
  const lazy = Object.keys(outputs).filter((path) => !initial.has(path));
  return { initial: [...initial].map(script), lazy: lazy.map(script) };
}

export const totalBytes = (scripts: readonly Script[]): number =>
  scripts.reduce((sum, { gzippedBytes }) => sum + gzippedBytes, 0);
