import { expect, test } from "vitest";
import { emitterOf } from "../../src/backends/wasm/on-demand.ts";
import { cumulative } from "../../src/ops/cumulative.ts";
import { linalg } from "../../src/ops/linalg.ts";
import { extendOps, opRow, ops } from "../../src/ops/table.ts";

test("ops that are not in the core are known once they were added, and adding them again changes nothing", () => {
  expect(() => opRow("cholesky")).toThrow('no op "cholesky": add a row');
  extendOps(linalg);
  extendOps(linalg);
  expect(opRow("cholesky")).toBe(linalg.cholesky);
});

test("two ops of one name are refused", () => {
  expect(() => extendOps({ add: linalg.cholesky! })).toThrow('two ops have the name "add"');
  expect(ops.add).not.toBe(linalg.cholesky);
});

test("every added op has an emitter that is loaded when it is asked for; another has none", async () => {
  for (const op of Object.keys({ ...linalg, ...cumulative })) expect(await emitterOf(op)).toBeTypeOf("function");
  await expect(emitterOf("unheard")).rejects.toThrow('no routine for op "unheard": add it to');
});
