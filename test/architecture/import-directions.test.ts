import { readdirSync, readFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkImports, floorOf, type Tree } from "./check-imports.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

function readTree(...folders: string[]): Tree {
  const tree = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(root + folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const path = `${entry.parentPath}${sep}${entry.name}`;
      tree.set(relative(root, path).split(sep).join("/"), readFileSync(path, "utf8"));
    }
  }
  return tree;
}

test("every import in src/ and cli/ points downwards, and none closes a cycle", () => {
  const tree = readTree("src", "cli");
  expect(tree.size).toBeGreaterThan(5);
  expect(checkImports(tree)).toEqual([]);
});

describe("the checker finds", () => {
  /** A tree that obeys, into which each case plants one violation. */
  const sound = {
    "src/index.ts": 'export { program } from "./program/program.ts";\nexport type { Shape } from "./base/shape.ts";\n',
    "src/node.ts": 'import "node:fs";\nexport * from "./index.ts";\n',
    "src/base/shape.ts": "export type Shape = readonly number[];\n",
    "src/ir/node.ts": 'import type { Shape } from "../base/shape.ts";\nexport type Node = { shape: Shape };\n',
    "src/tensor/tensor.ts": 'import type { Node } from "../ir/node.ts";\nexport type Tensor = { node: Node };\n',
    "src/passes/fuse.ts": 'import type { Node } from "../ir/node.ts";\nexport type Fused = Node;\n',
    "src/backends/backend.ts": 'import type { Fused } from "../passes/fuse.ts";\nexport type Backend = Fused;\n',
    "src/backends/wasm/emit.ts": 'import type { Backend } from "../backend.ts";\nexport type Wasm = Backend;\n',
    "src/backends/reference/run.ts": "export const run = 1;\n",
    "src/backends/blas/load.ts": 'export const load = () => import("koffi");\n',
    "src/backends/blas/absent.ts": "export const load = () => null;\n",
    "src/engine/compile.ts": 'export const blas = () => import("ansatz/blas");\n',
    "src/program/program.ts":
      'import "../tensor/tensor.ts";\nexport { blas as program } from "../engine/compile.ts";\n',
    "src/data/digits.ts": "export const digits = 1;\n",
    "src/data/files.ts": 'import "node:fs";\n',
    "src/vae/train.ts": 'import "../data/digits.ts";\nimport "../program/program.ts";\n',
    "cli/main.ts": 'import "commander";\nimport "node:fs";\nimport "../src/node.ts";\nimport("ansatz/digits");\n',
  };
  const check = (planted: Record<string, string> = {}): string[] =>
    checkImports(new Map(Object.entries({ ...sound, ...planted })));

  test("nothing in a tree that obeys", () => {
    expect(check()).toEqual([]);
  });

  test.each<[name: string, path: string, text: string, message: RegExp]>([
    ["an import of a floor above", "src/base/shape.ts", 'import "../ops/row.ts";', /base may not import ops/],
    ["a type import of a floor above", "src/base/shape.ts", 'import type { N } from "../ops/row.ts";', /base may not/],
    ["a re-export of a floor above", "src/base/shape.ts", 'export * from "../ops/row.ts";', /base may not import ops/],
    ["a dynamic import of a floor above", "src/base/shape.ts", 'await import("../ops/row.ts");', /base may not/],
    [
      "one pillar importing the other",
      "src/tensor/b.ts",
      'import "../passes/fuse.ts";',
      /tensor may not import passes/,
    ],
    [
      "a backend importing another",
      "src/backends/wasm/b.ts",
      'import "../reference/run.ts";',
      /may not import backends/,
    ],
    ["the interface importing a backend", "src/backends/b.ts", 'import "./wasm/emit.ts";', /backends may not import/],
    ["data importing the engine", "src/data/b.ts", 'import "../engine/compile.ts";', /data may not import engine/],
    ["an import of the public entry", "src/vae/b.ts", 'import "../index.ts";', /may not import the package's entries/],
    ["the public entry under its own name", "src/vae/b.ts", 'import "ansatz";', /may not import the package's entries/],
    ["a folder without a floor", "src/helpers/b.ts", "", /folder helpers is not in floors.ts/],
    ["a file that stands on no floor", "src/stray.ts", "", /stands on no floor/],
    ["a file outside src/", "src/base/b.ts", 'import "../../cli/main.ts";', /outside src/],
    ["a Node module in platform-free code", "src/data/b.ts", 'import "node:fs";', /imports node:fs, which/],
    ["koffi outside its backend", "src/engine/b.ts", 'import "koffi";', /imports koffi, which/],
    ["an unknown package", "src/base/b.ts", 'import "left-pad";', /imports left-pad, which/],
    ["the command line reaching inside", "cli/b.ts", 'import "../src/vae/train.ts";', /the command line sees only/],
    ["code in an index", "src/index.ts", 'export * from "./base/shape.ts";\nexport const x = 1;', /only re-exports/],
    ["a missing file", "src/base/b.ts", 'import "./gone.ts";', /src\/base\/gone.ts, which does not exist/],
    ["a cycle", "src/base/shape.ts", 'import "./shape.ts";', /cycle: src\/base\/shape.ts → src\/base\/shape.ts/],
  ])("%s", (_name, path, text, message) => {
    expect(check({ [path]: text })).toContainEqual(expect.stringMatching(message));
  });

  test("a cycle of several files, named once", () => {
    const cycle = {
      "src/ir/a.ts": 'import "./b.ts";',
      "src/ir/b.ts": 'import "./c.ts";',
      "src/ir/c.ts": 'import "./a.ts";',
    };
    expect(check(cycle)).toEqual(["cycle: src/ir/a.ts → src/ir/b.ts → src/ir/c.ts → src/ir/a.ts"]);
  });

  test("a path from the browser's entry to a Node module", () => {
    const planted = { "src/engine/compile.ts": 'export { load as blas } from "../backends/blas/load.ts";' };
    expect(check(planted)).toEqual([
      expect.stringMatching(/browsers would load koffi: src\/index.ts → .* → .*load.ts/),
    ]);
  });
});

test("the longest folder name gives the floor", () => {
  expect(floorOf("src/backends/wasm/assembler/expr.ts")).toBe("backends/wasm");
  expect(floorOf("src/backends/backend.ts")).toBe("backends");
  expect(floorOf("src/index.ts")).toBeNull();
});
