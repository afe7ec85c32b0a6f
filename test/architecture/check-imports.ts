import { posix } from "node:path";
import ts from "typescript";
import {
  aside,
  besides,
  browserEntries,
  cliMayImport,
  foundation,
  joint,
  languagePillar,
  machinePillar,
  nodeOnly,
  portablePackages,
  selfReferences,
} from "./floors.ts";

/** A source tree: path from the repository's root → text. */
export type Tree = ReadonlyMap<string, string>;

interface Import {
  readonly specifier: string;
  /** The file in the tree, or null for a package or one of Node's own modules. */
  readonly file: string | null;
}

type Order = readonly (string | readonly string[])[];

/** Every floor with the set of floors it may import, itself included. */
export const allowed: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const table = new Map<string, ReadonlySet<string>>();
  const stack = (order: Order, ground: readonly string[]): string[] => {
    const below = [...ground];
    for (const level of order) {
      const floors = typeof level === "string" ? [level] : level;
      for (const floor of floors) table.set(floor, new Set([...below, floor]));
      below.push(...floors);
    }
    return below;
  };
  const base = stack(foundation, []);
  const language = stack(languagePillar, base);
  const machine = stack(machinePillar, base);
  stack(joint, [...new Set([...language, ...machine])]);
  for (const [floor, list] of Object.entries(aside)) table.set(floor, new Set([...list, floor]));
  for (const [floor, more] of Object.entries(besides))
    table.set(floor, new Set([...(table.get(floor) ?? []), ...more]));
  return table;
})();

/** The floor of a file under src/, or null for src/index.ts and src/node.ts, which stand above all. */
export function floorOf(path: string): string | null {
  const parts = path.split("/").slice(1, -1);
  for (let n = parts.length; n > 0; n--) {
    const name = parts.slice(0, n).join("/");
    if (allowed.has(name)) return name;
  }
  return parts.length === 0 ? null : parts.join("/");
}

/** All imports of a file: static, dynamic, re-exports and types. A design depends on a type as much as on a value. */
export function importsOf(path: string, text: string): Import[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName: specifier }) => {
    if (specifier.startsWith(".")) return { specifier, file: posix.join(posix.dirname(path), specifier) };
    return { specifier, file: selfReferences[specifier] ?? null };
  });
}

const isNodeModule = (specifier: string): boolean => specifier.startsWith("node:") || specifier === "koffi";

const topFiles = ["src/index.ts", "src/node.ts"];

function checkSourceFile(path: string, imports: readonly Import[]): string[] {
  const found: string[] = [];
  const floor = floorOf(path);
  if (floor === null && !topFiles.includes(path))
    found.push(`${path}: stands on no floor; only index.ts and node.ts may`);
  if (floor !== null && !allowed.has(floor)) found.push(`${path}: the folder ${floor} is not in floors.ts`);
  for (const { specifier, file } of imports) {
    if (file === null) {
      const portable = portablePackages.includes(specifier);
      const permitted = isNodeModule(specifier) && nodeOnly.some((pattern) => pattern.test(path));
      if (!portable && !permitted) found.push(`${path}: imports ${specifier}, which its floor may not`);
      continue;
    }
    if (!file.startsWith("src/")) {
      found.push(`${path}: imports ${file}, outside src/`);
      continue;
    }
    if (floor === null) continue;
    const target = floorOf(file);
    if (target === null || !allowed.get(floor)?.has(target)) {
      found.push(`${path}: imports ${file}; ${floor} may not import ${target ?? "the package's entries"}`);
    }
  }
  return found;
}

function checkCliFile(path: string, imports: readonly Import[]): string[] {
  return imports
    .filter(({ file }) => file !== null && !file.startsWith("cli/") && !cliMayImport.includes(file))
    .map(({ file }) => `${path}: imports ${file}; the command line sees only ${cliMayImport.join(", ")}`);
}

/** An index is a list of what is public: anything but `export … from` makes it something else. */
function checkIndex(path: string, text: string): string[] {
  const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023);
  return statements.every((node) => ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
    ? []
    : [`${path}: an index only re-exports`];
}

/** One line per cycle: the files on it, in order. Depth-first search; a back edge closes a cycle. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push(`cycle: ${[...trail.slice(at), path].join(" → ")}`);
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** What a browser would load: imports by relative path, since the package's own names go by its export conditions. */
function checkBrowserEntry(entry: string, imports: ReadonlyMap<string, readonly Import[]>): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const here = [...trail, path];
    for (const { specifier, file } of imports.get(path) ?? []) {
      if (isNodeModule(specifier)) found.push(`browsers would load ${specifier}: ${here.join(" → ")}`);
      if (file !== null && specifier.startsWith(".")) visit(file, here);
    }
  };
  visit(entry, []);
  return found;
}

/** Checks a whole tree (src/ and cli/). @returns one line per violation, empty when the tree obeys. */
export function checkImports(tree: Tree): string[] {
  const imports = new Map([...tree].map(([path, text]) => [path, importsOf(path, text)] as const));
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, text] of tree) {
    const own = imports.get(path) ?? [];
    found.push(...(path.startsWith("src/") ? checkSourceFile(path, own) : checkCliFile(path, own)));
    if (posix.basename(path) === "index.ts") found.push(...checkIndex(path, text));
    for (const { file } of own) {
      if (file !== null && !tree.has(file)) found.push(`${path}: imports ${file}, which does not exist`);
    }
    graph.set(
      path,
      own.flatMap(({ file }) => (file === null ? [] : [file])),
    );
  }
  found.push(...findCycles(graph));
  for (const entry of browserEntries) found.push(...checkBrowserEntry(entry, imports));
  return found;
}
