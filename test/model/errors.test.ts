import { describe, expect, test } from "vitest";
import { simplex } from "../../src/constraints/support.ts";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { beta } from "../../src/distributions/beta.ts";
import { categorical } from "../../src/distributions/categorical.ts";
import { dirichlet } from "../../src/distributions/dirichlet.ts";
import { halfNormal } from "../../src/distributions/half-normal.ts";
import { lkjCholesky } from "../../src/distributions/lkj-cholesky.ts";
import { mixture } from "../../src/distributions/mixture.ts";
import { multivariateNormal } from "../../src/distributions/multivariate-normal.ts";
import { normal } from "../../src/distributions/normal.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { infer } from "../../src/inference/infer.ts";
import { problemOf } from "../../src/inference/problem.ts";
import type { Context } from "../../src/model/context.ts";
import { model, type Returned } from "../../src/model/model.ts";
import { stack } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

type Body = (context: Context, data: Record<string, Tensor>) => unknown;

/** The message of what setting up (and compiling) a model throws. */
async function messageOf(body: Body, data: Readonly<Record<string, unknown>> = {}): Promise<string> {
  try {
    const made = model(body as (context: Context, data: Record<string, Tensor>) => Returned);
    await infer(made, data as never, { method: "laplace" });
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "nothing was thrown";
}

interface Case {
  readonly says: string;
  readonly body: Body;
  readonly data?: Readonly<Record<string, unknown>>;
}

function cases(title: string, rows: readonly Case[]): void {
  describe(title, () => {
    for (const { says, body, data } of rows) test(says, async () => expect(await messageOf(body, data)).toBe(says));
  });
}

cases("a site that is written wrongly", [
  {
    says: 'OptionError: the site name "mu" is used twice: by sample("mu") and by observe("mu"). Each site needs a name of its own.',
    body: ({ sample, observe }) => {
      const mu = sample("mu", normal(0, 1));
      observe("mu", normal(mu, 1), 3);
    },
  },
  {
    says: "OptionError: sample takes its name first, a text that is not empty, not 3",
    body: ({ sample }) => sample(3 as never, normal(0, 1)),
  },
  {
    says: 'OptionError: plate takes its name first, a text that is not empty, not ""',
    body: ({ plate }) => plate("", 3, () => {}),
  },
  {
    says: 'OptionError: sample("mu") takes a distribution, such as normal(0, 1), not a function: call it, as in normal(0, 1)',
    body: ({ sample }) => sample("mu", normal as never),
  },
  {
    says: 'OptionError: observe("y") takes a distribution, such as normal(0, 1), not a tensor [3]',
    body: ({ observe }, { y }) => observe("y", y as never, y!),
    data: { y: [1, 2, 3] },
  },
  {
    says: 'ShapeError: sample("beta"): the shape [2] was asked for, but its parameters have the batch shape [3]',
    body: ({ sample }) => sample("beta", normal([0, 1, 2], 1), [2]),
  },
  {
    says: 'ShapeError: sample("beta"): normal: its parameters do not broadcast: mean [3], sd [2]',
    body: ({ sample }) => sample("beta", normal([0, 1, 2], [1, 2])),
  },
  {
    says: 'OptionError: observe("y") takes numbers or a tensor as its third argument, not undefined',
    body: ({ observe }) => (observe as (...given: unknown[]) => void)("y", normal(0, 1)),
  },
  {
    says: 'ShapeError: observe("y"): a value of shape [3] for a normal of batch shape [2]',
    body: ({ observe }, { y }) => observe("y", normal([0, 1], 1), y!),
    data: { y: [1, 2, 3] },
  },
  {
    says: 'ShapeError: observe("y"): a value of shape [3] would be repeated to [2, 3], since its normal has the batch shape [2, 1]: each observation would count several times. Bring both to the same shape.',
    body: ({ observe }, { y, column }) => observe("y", normal(column!, 1), y!),
    data: { y: [1, 2, 3], column: [[1], [2]] },
  },
  {
    says: 'ShapeError: observe("y") in plate("n", 3): its value is the same in all 3 elements of the plate and has 3 elements itself, so that each would count 3 times. Observe one of them, by the plate\'s index: y.at(i).',
    body: ({ sample, observe, plate }, { y }) => {
      const mu = sample("mu", normal(0, 1));
      plate("n", 3, () => void observe("y", normal(mu, 1), y!));
    },
    data: { y: [1, 2, 3] },
  },
  {
    says: 'ShapeError: observe("p"): a value of shape [2] for a dirichlet of batch shape [] and event shape [3]',
    body: ({ observe }) => observe("p", dirichlet([1, 1, 1]), [0.4, 0.6]),
  },
  {
    says: 'OptionError: deterministic("double") takes a tensor, not 2',
    body: ({ deterministic }) => deterministic("double", 2 as never),
  },
  {
    says: 'OptionError: factor("weight") takes a tensor or a number, not NaN',
    body: ({ factor }) => factor("weight", Number.NaN),
  },
  {
    says: 'ShapeError: sample("z") takes a shape, such as [3] or [y.shape[0]], not [null]',
    body: ({ sample }, { y }) => void sample("z", normal(0, 1), [(y as never as number[]).length]),
    data: { y: [1, 2, 3] },
  },
  {
    says: 'ShapeError: param("weights") is a single number, but its support (simplex) is one of vectors: give it a shape',
    body: ({ param }) => void param("weights", { support: simplex }),
  },
]);

const advice =
  'outside of the body that it belongs to. What that body returns, its plate or chain returns for all elements: const all = plate("name", size, (i) => sample(…)).';
cases("what leaves its plate other than by the return value", [
  {
    says: `OptionError: observe("y") uses sample("theta") of one element, ${advice}`,
    body: ({ sample, observe, plate }, { y }) => {
      let theta: Tensor | null = null;
      plate("i", 3, () => {
        theta = sample("theta", normal(0, 1));
      });
      observe("y", normal(theta!, 1), y!);
    },
    data: { y: [1, 2, 3] },
  },
  {
    says: `OptionError: factor("late") uses the index of plate("i") of one element, ${advice}`,
    body: ({ sample, factor, plate }) => {
      const mu = sample("mu", normal(0, 1));
      let index: Tensor | null = null;
      plate("i", 3, (i) => {
        index = i;
      });
      factor("late", mu.mul(index!.cast("f64")));
    },
  },
  {
    says: `OptionError: the model's result last uses sample("x") of one element, ${advice}`,
    body: ({ sample, chain }) => {
      let last: Tensor | null = null;
      chain("t", 3, sample("start", normal(0, 1)), (before) => {
        last = sample("x", normal(before, 1));
        return last;
      });
      return { last: last! };
    },
  },
]);

cases("a Cholesky factor where a covariance is wanted", [
  {
    says: 'OptionError: observe("y"): covariance of its multivariateNormal is the Cholesky factor "L", or a product with it, element by element. Give it by name, as { cholesky: L }, or multiply it out: L.matmul(L.transpose()).',
    body: ({ sample, observe }, { y }) => {
      const L = sample("L", lkjCholesky(2, 2));
      const sd = sample("sd", halfNormal(1), [2]);
      observe("y", multivariateNormal([0, 0], sd.reshape([2, 1]).mul(L)), y!);
    },
    data: { y: [0.3, -0.2] },
  },
]);

cases("probabilities that are computed and do not sum to 1", [
  {
    says: 'OptionError: observe("y"): probs of its categorical are no probabilities where a search would begin: [0.5, 1] sum to 1.5. Divide them by their sum, or take softmax of them.',
    body: ({ sample, observe }, { y }) => {
      const t = sample("t", beta(1, 1));
      observe("y", categorical(stack([t, t.mul(2)])), y!);
    },
    data: { y: [0, 1] },
  },
  {
    says: 'OptionError: sample("z"): probs of its categorical are no probabilities where a search would begin: [0.9, 0.2] sum to 1.1. Divide them by their sum, or take softmax of them.',
    body: ({ sample, observe, plate }, { rows }) => {
      const mu = sample("mu", normal(0, 1));
      plate("i", 2, (i) => {
        const z = sample("z", categorical(rows!.at(i)));
        observe("y", normal(mu.mul(z), 1), 2);
      });
    },
    data: {
      rows: [
        [0.5, 0.5],
        [0.9, 0.2],
      ],
    },
  },
  {
    says: "nothing was thrown",
    body: ({ sample, observe, plate }, { rows }) => {
      const t = sample("t", beta(1, 1));
      const w = sample("w", dirichlet([1, 1]), [2]);
      plate("i", 2, (i) => {
        const kind = sample("kind", categorical(stack([t, t.neg().add(1)])));
        const z = sample("z", categorical(w.at(kind)));
        observe("y", mixture(rows!.at(i), normal([0, 1], 1)), z);
      });
    },
    data: {
      rows: [
        [0.5, 0.5],
        [0.9, 0.1],
      ],
    },
  },
]);

cases("arithmetic with what is no tensor", [
  {
    says: "TypeError: mul takes tensors and numbers, but was given undefined",
    body: ({ sample }, { x }) => sample("mu", normal(0, 1)).mul((x as unknown as { slope: Tensor }).slope),
    data: { x: { slop: 2 } },
  },
  {
    says: "TypeError: sub takes tensors and numbers, but was given an array: arrays become tensors as fields of the model's data",
    body: ({ sample }) => sample("mu", normal(0, 1)).sub([1, 2] as never),
  },
]);

cases("a plate or chain that is written wrongly", [
  {
    says: 'OptionError: plate("i") takes a size, an integer of at least 1, not 0',
    body: ({ plate }) => plate("i", 0, () => {}),
  },
  {
    says: 'OptionError: plate("i") takes a size, an integer of at least 1, not a tensor [3]: take the size of a data array, as in y.shape[0]',
    body: ({ plate }, { y }) => plate("i", y as never, () => {}),
    data: { y: [1, 2, 3] },
  },
  {
    says: 'OptionError: plate("i") takes a body, (i) => …, not undefined',
    body: ({ plate }) => (plate as (...given: unknown[]) => void)("i", 3),
  },
  {
    says: 'OptionError: plate("i"): batch is 5, but it must be an integer from 1 to its size, 3',
    body: ({ plate }) => plate("i", 3, { batch: 5 }, () => {}),
  },
  {
    says: 'OptionError: the body of plate("i") returned a number: return tensors, or records and arrays of them',
    body: ({ plate }) => plate("i", 3, () => 1 as never),
  },
  {
    says: 'OptionError: chain("t") takes (name, length, initial state, body), and its body is undefined',
    body: ({ chain, sample }) => (chain as (...given: unknown[]) => void)("t", 3, sample("x", normal(0, 1))),
  },
  {
    says: 'OptionError: chain("t"): its initial state has no tensor',
    body: ({ chain }) => chain("t", 3, {}, () => ({})),
  },
  {
    says: 'OptionError: chain("t"): its body returned 2 tensors, but the initial state has 1',
    body: ({ chain, sample }) => chain("t", 3, [sample("x", normal(0, 1))], ([x]) => [x!, x!]),
  },
  {
    says: 'ShapeError: chain("t"): its body returned a state of shape [2], but the initial one is []',
    body: ({ chain, sample }) => chain("t", 3, sample("x", normal(0, 1)), () => sample("z", normal(0, 1), [2])),
  },
  {
    says: 'OptionError: chain("t") computes its state from the one before it, and holds chain("s"): nest plates instead',
    body: ({ chain, sample }) => {
      const x = sample("x", normal(0, 1));
      chain("t", 3, x, (before) => {
        chain("s", 2, x, () => sample("z", normal(0, 1)));
        return before.mul(0.5);
      });
    },
  },
]);

cases("a body that returns what cannot be reported", [
  {
    says: "OptionError: the model's body must return a record of tensors, as in return { mu, tau }, or nothing",
    body: ({ sample }) => sample("mu", normal(0, 1)),
  },
  {
    says: "OptionError: the model's body, as theta, returned a number: return tensors, or records and arrays of them",
    body: () => ({ theta: 3 }),
  },
  {
    says: "OptionError: the model's body returned 2 tensors as pair: give each a name of its own",
    body: ({ sample }) => ({ pair: [sample("a", normal(0, 1)), sample("b", normal(0, 1))] }),
  },
  {
    says: "OptionError: the model's body is async: what it needs must come as data, since it is traced once and compiled",
    body: async () => {},
  },
]);

cases("data that a model cannot read", [
  {
    says: "OptionError: the model reads data.sigma, but the data hold y, N. Give it, or rename it in the model.",
    body: (_context, { sigma }) => void sigma,
    data: { y: [1], N: 1 },
  },
  {
    says: "OptionError: the model reads data.y, but the data hold nothing. Give it, or rename it in the model.",
    body: (_context, { y }) => void y,
  },
  {
    says: "TypeError: Cannot read properties of undefined (reading '0'). Of the data these are no arrays, and are given to the model as they are: y = \"abc\", n = 3. Where it wants an array, give one.",
    body: (_context, { y }) => void y!.shape[0],
    data: { y: "abc", n: 3, x: [1] },
  },
  { says: "OptionError: data.scale is NaN", body: (_context, { scale }) => void scale, data: { scale: Number.NaN } },
  {
    says: "ShapeError: data.y[1] has 1 element, but the rows before it have 2. Ragged data go into one flat array with an index array beside it that names each element's group.",
    body: (_context, { y }) => void y,
    data: { y: [[1, 2], [3]] },
  },
  {
    says: "ShapeError: data.y[1] is 3, but y begins as an array of shape [2, 2]",
    body: (_context, { y }) => void y,
    data: { y: [[1, 2], 3] },
  },
  {
    says: 'SupportError: observe("y"): element [3] is NaN. Data must be finite numbers: leave out or impute what is missing, or fit by coordinate ascent (method: "cavi"), for which it counts for nothing.',
    body: ({ sample, observe }, { y }) => void observe("y", normal(sample("mu", normal(0, 1)), 1), y!),
    data: { y: [1, 2, null] },
  },
  {
    says: 'DataError: data.y[0][1] is "a": a model\'s data are numbers, and null where one is missing.',
    body: (_context, { y }) => void y,
    data: { y: [[1, "a"]] },
  },
]);

const ways = "Sum it out by hand, observe it, or use a method that keeps discrete sites.";
cases("a discrete site that cannot be summed out", [
  {
    says: `OptionError: sample("n"): a poisson takes values without end (or a number of them that depends on other sites), so that it cannot be summed out where gradients are needed. Say up to where, as in truncated(poisson(rate), { high: 40 }), sum it out by hand, observe it, or fit from a program by cavi(model, data), which keeps discrete sites.`,
    body: ({ sample, observe }) => void observe("y", normal(sample("n", poisson(3)), 1), 2),
  },
  {
    says: 'OptionError: sample("z") is a discrete site of shape [3]: write it for one element inside a plate, so that each is summed out alone',
    body: ({ sample, observe }) => void observe("y", normal(sample("z", bernoulli(0.5), [3]), 1), [1, 2, 3]),
  },
  {
    says: `OptionError: sample("z") has 2000 states; at most 1024 are summed out. ${ways}`,
    body: ({ sample, observe }) =>
      void observe("y", normal(sample("z", categorical(Array(2000).fill(1 / 2000))), 1), 2),
  },
  {
    says: 'OptionError: sample("z") is discrete, and "total" in the model\'s outer level, outside the plate of the site depends on it: it cannot be summed out one element at a time',
    body: ({ sample, observe, plate }) => {
      const z = plate("i", 3, () => sample("z", bernoulli(0.5)));
      observe("total", normal(z.sum(), 1), 2);
    },
  },
]);

describe("what is no model", () => {
  test("says how one is made", async () => {
    expect(() => model(3 as never)).toThrow("model takes a function, ({ sample, observe }, data) => …");
    await expect(problemOf(3 as never, {} as never)).rejects.toThrow(
      "this takes a model first: model(({ sample, observe }, data) => …)",
    );
  });

  test("a tensor kept from another trace is refused by the site that meets it", async () => {
    let kept: Tensor | null = null;
    const keeping = model(({ sample }) => {
      kept ??= sample("a", normal(0, 1));
    });
    await problemOf(keeping, {});
    expect(await messageOf(({ sample }) => sample("b", normal(kept!, 1)))).toBe(
      "OptionError: sample(\"b\") was given a tensor of another model's trace. Use this body's own arguments; numbers from outside go in as data.",
    );
  });
});
