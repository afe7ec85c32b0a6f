import { describe, expect, test } from "vitest";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { normal } from "../../src/distributions/normal.ts";

/** As a second copy of the package would have it: of the same name, and not an instance of ours. */
const foreign = (() => {
  class Tensor {
    readonly node = {};
    readonly trace = {};
    readonly shape = [];
  }
  return new Tensor() as never;
})();

describe("a Tensor of another copy of the package is called so", () => {
  for (const [how, call] of [
    ["by position", () => normal(foreign, 1)],
    ["alone", () => normal(foreign)],
    ["by name", () => normal({ mean: foreign, sd: 1 })],
    ["as a variance", () => normal({ mean: 0, variance: foreign })],
    ["in an array", () => normal([foreign], 1)],
    ["of several parameterisations", () => bernoulli(foreign)],
    ["of one that is named", () => bernoulli({ logits: foreign })],
  ] as const) {
    test(how, () => expect(call).toThrow(/a Tensor of another copy of ansatz: two are loaded.*npm ls ansatz.*dedupe/));
  }
});
