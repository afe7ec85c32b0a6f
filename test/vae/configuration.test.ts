import { describe, expect, expectTypeOf, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { configure, type DataFacts } from "../../src/vae/configuration.ts";
import { readOption } from "../../src/vae/option-spec.ts";
import { type VaeOptions, vaeOptions } from "../../src/vae/options.ts";

const gray: DataFacts = { isImage: true, isBinary: false, greatest: 255 };
const binary: DataFacts = { isImage: true, isBinary: true, greatest: 1 };
const table: DataFacts = { isImage: false, isBinary: false, greatest: 3.5 };

describe("defaults are decided from the data and other options", () => {
  test.each<[name: string, options: VaeOptions, data: DataFacts, decided: object]>([
    ["gray images are binarised anew at each step", {}, gray, { likelihood: "bernoulli", binarize: "dynamic" }],
    ["binary images are taken as they are", {}, binary, { likelihood: "bernoulli", binarize: "none" }],
    ["tables are Gaussian", {}, table, { likelihood: "gaussian", binarize: "none" }],
    ["who asks for Bernoulli says how to binarise", { likelihood: "bernoulli" }, gray, { binarize: "none" }],
    ["categories are counted", { likelihood: "categorical" }, gray, { categories: 256 }],
    ["tables are standardised", {}, table, { standardize: "columns" }],
    ["arrays of more axes have one spread", {}, { ...table, axes: 2 }, { standardize: "common" }],
    ["images are not", { likelihood: "gaussian" }, gray, { standardize: "none" }],
    [
      "nor is what one variance for all columns is learned of",
      { likelihood: "gaussian-shared" },
      table,
      { standardize: "none" },
    ],
    ["KL is analytic", {}, table, { estimator: "analytic" }],
    ["but not of a mixture", { prior: "mixture:5" }, table, { estimator: "generic" }],
    ["adam", {}, table, { lr: 0.001, epsilon: 1e-8, beta2: 0.999, weightDecay: 0 }],
    ["adagrad", { optimizer: "adagrad" }, table, { lr: 0.01, epsilon: 1e-10 }],
    ["rmsprop", { optimizer: "rmsprop" }, table, { beta2: 0.99 }],
    ["adamw", { optimizer: "adamw" }, table, { weightDecay: 0.01 }],
    ["an undefined option is left out", { lr: undefined }, table, { lr: 0.001 }],
  ])("%s", (_name, options, data, decided) => {
    expect(configure(options, data)).toMatchObject(decided);
  });
});

describe("options that cannot be meant are refused, with what is allowed", () => {
  test.each<[options: object, message: RegExp]>([
    [{ latnet: 3 }, /no option "latnet"; there are likelihood, /],
    [{ activation: "swish" }, /activation is "swish", but it takes one of tanh, relu/],
    [{ latent: 0 }, /latent is 0, but it takes an integer of at least 1/],
    [{ latent: 2.5 }, /integer/],
    [{ encoder: [100, 0] }, /encoder is \[100,0\], but it takes integers of at least 1/],
    [{ beta1: 1 }, /beta1 is 1, but it takes a number from 0 to below 1/],
    [{ lr: Number.NaN }, /lr/],
    [{ prior: "mixture" }, /prior is "mixture", but it takes one of standard, gaussian, mixture:K/],
    [{ prior: "mixture:1" }, /at least 2/],
    [{ prior: "mixture:2.5" }, /integer number of components/],
    [{ init: "normal:-1" }, /init/],
    [{ schedule: "step:3" }, /step:PARTS:FACTOR/],
    [{ dropLast: "yes" }, /dropLast is "yes", but it takes true or false/],
    [{ prior: "mixture:5", estimator: "analytic" }, /analytic needs KL in closed form.*use estimator generic/],
    [
      { likelihood: "gaussian", binarize: "dynamic" },
      /binarize dynamic makes the data binary, but the likelihood is gaussian/,
    ],
    [
      { likelihood: "categorical", standardize: "columns" },
      /standardize columns .*likelihood is categorical: use likelihood gaussian/,
    ],
    [{ likelihood: "bernoulli", categories: 4 }, /categories is an option of the categorical likelihood/],
    [{ momentum: 0.9 }, /momentum is an option of sgd, but the optimizer is adam/],
    [{ optimizer: "adam", weightDecay: 0.1 }, /weightDecay is an option of adamw/],
  ])("%o", (options, message) => {
    expect(() => configure(options as VaeOptions, table)).toThrow(OptionError);
    expect(() => configure(options as VaeOptions, table)).toThrow(message);
  });
});

test("a command line's text is read by the option's row", () => {
  const read = (name: keyof typeof vaeOptions, text: string) => readOption(`--${name}`, vaeOptions[name], text);
  expect(read("latent", "50")).toBe(50);
  expect(read("lr", "1e-3")).toBe(0.001);
  expect(read("encoder", "200,200")).toEqual([200, 200]);
  expect(read("encoder", "none")).toEqual([]);
  expect(read("init", "normal:0.01")).toBe("normal:0.01");
  expect(read("dropLast", "true")).toBe(true);
  expect(() => read("latent", "")).toThrow(/--latent is "", but it takes an integer/);
  expect(() => read("encoder", "200,x")).toThrow(/such as 500 or 200,200/);
});

test("types come from the same table", () => {
  expectTypeOf<VaeOptions["posterior"]>().toEqualTypeOf<"diagonal" | "full" | undefined>();
  expectTypeOf<VaeOptions["prior"]>().toEqualTypeOf<"standard" | "gaussian" | `mixture:${number}` | undefined>();
  expectTypeOf<VaeOptions["schedule"]>().toEqualTypeOf<
    "constant" | "cosine" | "linear" | `step:${number}:${number}` | undefined
  >();
  expectTypeOf<VaeOptions["encoder"]>().toEqualTypeOf<readonly number[] | undefined>();
});
