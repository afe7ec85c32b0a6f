import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as absent from "../../src/backends/blas/absent.ts";
import * as load from "../../src/backends/blas/load.ts";
import { selfReferences } from "./floors.ts";

// "ansatz/blas" is one module under two conditions. The assignment fails to compile when the stub lacks something.
const stub: typeof load = absent;

test("the browser's stub offers what the loader offers", () => {
  expect(Object.keys(stub).sort()).toEqual(Object.keys(load).sort());
});

test("where there is no FFI there is no BLAS", async () => {
  expect(await absent.loadBlas()).toBeNull();
});

test("tsconfig and package.json know the same names of the package", () => {
  const read = (path: string) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
  const { exports } = read("package.json");
  const names = Object.keys(exports).filter((name) => name !== "./package.json");
  expect(names.map((name) => name.replace(/^\./, "ansatz"))).toEqual(Object.keys(selfReferences));
  const paths = Object.fromEntries(Object.entries(selfReferences).map(([name, path]) => [name, [`./${path}`]]));
  expect(read("tsconfig.json").compilerOptions.paths).toEqual(paths);
});
