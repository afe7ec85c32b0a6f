// Which source modules a page loads for the limited core, found by walking the imports: what the build keeps in one chunk.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const STATIC = /^(?:import|export)\s(?!type\b)[^"';]*?from\s+"(\.[^"]+)"/gm;
const DYNAMIC = /\bimport\("(\.[^"]+)"\)/g;

const imported = (file: string, kind: RegExp): string[] =>
  [...readFileSync(file, "utf8").matchAll(kind)].map(([, path]) => resolve(dirname(file), path!));

/** The files and all that they import, once the module runs. */
function reach(files: Iterable<string>): Set<string> {
  const seen = new Set(files);
  for (const file of seen) for (const next of imported(file, STATIC)) seen.add(next);
  return seen;
}

const index = resolve(root, "src/index.ts");
const offered = reach([index]);
const atOnce = reach([resolve(root, "src/program/program.ts"), resolve(root, "src/vae/train.ts")]);
const ofFits = [...atOnce].filter((file) => file.includes("/src/vae/")).flatMap((file) => imported(file, DYNAMIC));
const exported = new Set(imported(index, STATIC));

/**
 * Files of `program` and `trainVae`, as absolute paths: what they import, and of what a fit imports when it begins all that the
 * index exports by itself, for bundlers load at once what an entry names and anything on demand needs.
 */
export const core: ReadonlySet<string> = new Set([
  ...atOnce,
  ...reach([...reach(ofFits)].filter((file) => exported.has(file))),
]);

const lazy = reach([...core].flatMap((file) => imported(file, DYNAMIC)));
for (const file of [...lazy]) for (const next of reach(imported(file, DYNAMIC))) lazy.add(next);

/** What modules on demand need besides the core, and the rest of the library too. */
export const shared: ReadonlySet<string> = new Set([...offered].filter((file) => lazy.has(file) && !core.has(file)));
