/**
 * Is the bound of coordinate ascent the ELBO at its q, and the greatest one in its family?
 *
 *     npx tsx bench/cavi/bounds.ts [--only NAME] [--draws 2000] [--steps 1500] [--seed 1]
 *
 * For each model, on small data of its own: the bound in closed form; the ELBO at the same q from draws of q, by the model's own log
 * densities and q's (mean ± standard error, and how many of those lie between the two); and what Adam reaches by gradients of the bound on
 * all parameters of the same family, from q moved by 0.3 normal deviates in each of its unconstrained parameters. Where a term is
 * augmented (probit, Poisson sums), the closed form is a bound on the ELBO that the draws have. Chains keep their marginals from
 * gradients, so they have no row of that kind.
 */
import { parseArgs } from "node:util";
import { bernoulli, categorical, dirichlet, erf, gamma, gradient, model, normal, poisson, program, type Tensor } from "ansatz"; // biome-ignore format: one import
import { Generator } from "../../src/base/generator.ts";
import type { Block } from "../../src/inference/cavi/blocks/block.ts";
import { fitWithSetting } from "../../src/inference/cavi/cavi.ts";
import { inputsOf, readyFor, type Setting, sitesOf, stateKey, statesOfBlocks } from "../../src/inference/cavi/sweep.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { transpose } from "../../src/tensor/functions.ts";
import { diagonal, diagonalMatrix, identity, tril } from "../../src/tensor/linalg.ts";
import { cases } from "../../test/inference/cavi/models.ts";
import { monteCarloBound } from "../../test/inference/cavi/monte-carlo-bound.ts";
import { short, table } from "../models/peer.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    draws: { type: "string", default: "2000" },
    steps: { type: "string", default: "1500" },
    seed: { type: "string", default: "1" },
  },
});
const [draws, steps, seed] = [Number(flags.draws), Number(flags.steps), Number(flags.seed)];

interface Row {
  readonly name: string;
  readonly model: unknown;
  readonly data: Readonly<Record<string, unknown>>;
  readonly augmented?: boolean;
}

const g = new Generator(1, "bounds");
const line = Array.from({ length: 40 }, () => [1, g.normal()]);
const more: Row[] = [
  {
    name: "Normal–Gamma in two factors",
    data: { y: line.map((r) => 3 + 2 * r[1]!) },
    model: model(({ sample, observe }, { y }: { y: Tensor }) => {
      const [mu, tau] = [sample("mu", normal(0, 10)), sample("tau", gamma(1, 1))];
      observe("y", normal(mu, tau.pow(-0.5)), y);
    }),
  },
  {
    name: "mixture of Gaussians, diagonal",
    data: { x: line.map((r, i) => [r[1]! + (i % 2 ? 4 : -4), g.normal()]) },
    model: model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
      const weights = sample("weights", dirichlet([1, 1, 1]));
      const [mu, tau] = [sample("mu", normal(0, 5), [3, 2]), sample("tau", gamma(1, 1), [3, 2])];
      plate("n", 40, (i) => {
        const z = sample("z", categorical(weights));
        observe("x", normal(mu.at(z), tau.at(z).pow(-0.5)), x.at(i));
      });
    }),
  },
  {
    name: "probit regression",
    augmented: true,
    data: { x: line, y: line.map((r) => Number(r[1]! + g.normal() > 0)) },
    model: model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      const w = sample("w", normal(0, 1), [2]);
      observe("y", bernoulli(erf(x.mul(w).sum(-1).div(Math.SQRT2)).add(1).mul(0.5)), y);
    }),
  },
  {
    name: "Poisson matrix factorisation",
    augmented: true,
    data: { n: Array.from({ length: 8 }, (_, i) => Array.from({ length: 6 }, (_, j) => (i % 2 === j % 2 ? 3 + g.integer(4) : g.integer(2)))) }, // biome-ignore format: one line
    model: model(({ sample, observe }, { n }: { n: Tensor }) => {
      observe("n", poisson(sample("theta", gamma(0.5, 1), [8, 2]).matmul(sample("beta", gamma(0.5, 2), [2, 6]))), n);
    }),
  },
];

/** A state of q from unconstrained numbers of the same shape, and back. */
const MAPS: Readonly<Record<string, { from(u: Tensor): Tensor; to(x: Float64Array, n: number): Float64Array }>> = {
  positive: { from: (u) => u.exp(), to: (x) => x.map(Math.log) },
  logProbs: { from: (u) => u.sub(u.logsumexp(-1).reshape([...u.shape.slice(0, -1), 1])), to: (x) => x.map((v) => Math.max(v, -12)) }, // biome-ignore format: one line
  matrix: { from: (u) => lowerOf(u).matmul(transposed(lowerOf(u))), to: logCholesky },
  real: { from: (u) => u, to: (x) => x },
};
const transposed = (x: Tensor): Tensor => {
  const rank = x.shape.length;
  return transpose(x, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
};
/** Below the diagonal as it is, on it the exponential. */
const lowerOf = (u: Tensor): Tensor => tril(u.mul(identity(u, u.shape.at(-1)!).mul(-1).add(1))).add(diagonalMatrix(diagonal(u).exp())); // biome-ignore format: one line

function logCholesky(x: Float64Array, n: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += n * n) {
    const l = out.subarray(from, from + n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = x[from + i * n + j]!;
        for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
        l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!;
      }
    }
    for (let i = 0; i < n; i++) l[i * n + i] = Math.log(l[i * n + i]!);
  }
  return out;
}

const mapOf = (name: string, family: string) =>
  MAPS[
    /precision|inverseScale/.test(name) || (family === "inverseWishart" && name === "scale")
      ? "matrix"
      : name === "logProbs"
        ? "logProbs"
        : name === "mean"
          ? "real"
          : "positive"
  ]!;

/** Of a Wishart or inverse Wishart factor of n rows: degrees of freedom lie above n − 1. */
const leastDf = ({ state }: Block): number => (state["inverseScale"] ?? state["scale"])!.at(-1)! - 1;

/** The bound that Adam reaches by its gradients, from q moved off its place; null for chains and estimated parameters. */
async function byGradients(setting: Setting): Promise<number | null> {
  const { problem, structure, buffers } = setting;
  const { blocks } = structure;
  if (blocks.some((b) => /chain|point/i.test(b.family))) return null;
  const random = new Generator(seed, "moved");
  const state = Object.fromEntries(
    blocks.flatMap((b) =>
      Object.entries(b.state).flatMap(([name, shape]) => {
        const key = stateKey(b, name);
        const at = buffers[key]!.read() as Float64Array;
        const least = name === "df" ? leastDf(b) : 0;
        const start = mapOf(name, b.family)
          .to(
            at.map((v) => v - least),
            shape.at(-1) ?? 1,
          )
          .map((v) => v + 0.3 * random.normal());
        const zero = new Float64Array(at.length);
        return ["u", "m", "v"].map((slot) => [`${slot}.${key}`, problem.runtime.buffer("f64", shape, slot === "u" ? start : zero)] as const); // biome-ignore format: one line
      }),
    ),
  );
  const time = problem.runtime.buffer("f64", [], Float64Array.of(0));
  const { inputs: given, data } = inputsOf(setting);
  const keys = blocks.flatMap((b) => Object.keys(b.state).map((name) => stateKey(b, name)));
  const ascent = await program({
    state: { ...state, time },
    inputs: given,
    runtime: problem.runtime,
    body: ({ state, inputs }) => {
      const s = state as Record<string, Tensor>;
      const all = Object.fromEntries(
        blocks.flatMap((b) =>
          Object.keys(b.state).map((name) => {
            const found = mapOf(name, b.family).from(s[`u.${stateKey(b, name)}`]!);
            return [stateKey(b, name), name === "df" ? found.add(leastDf(b)) : found];
          }),
        ),
      );
      const { terms } = readyFor(setting, s["time"]!, inputs as never);
      const states = statesOfBlocks(blocks, all);
      const expected = blocks.map((b, i) => b.expected(states[i]!));
      const parts = [...terms.map((t) => t.expect(sitesOf(expected))), ...expected.map((e) => e.entropy.sum())];
      const bound = parts.reduce((a, b) => a.add(b));
      const slopes = gradient(bound, keys.map((k) => s[`u.${k}`]!)); // biome-ignore format: short
      const t = s["time"]!.add(1);
      const rate = t.div(steps).mul(Math.PI).cos().add(1).mul(0.025);
      const next: Record<string, Tensor> = { time: t };
      for (const [i, k] of keys.entries()) {
        const m = s[`m.${k}`]!.mul(0.9).add(slopes[i]!.mul(0.1));
        const v = s[`v.${k}`]!.mul(0.999).add(slopes[i]!.square().mul(0.001));
        const correct = (beta: number) => t.mul(0).add(beta).pow(t).neg().add(1);
        const move = m.div(correct(0.9)).div(v.div(correct(0.999)).sqrt().add(1e-10));
        next[`u.${k}`] = s[`u.${k}`]!.add(move.mul(rate));
        next[`m.${k}`] = m;
        next[`v.${k}`] = v;
      }
      return { state: next as never, outputs: { bound } };
    },
  });
  ascent.prepare(data as never);
  for (let n = 0; n < steps; n++) ascent.step();
  return (ascent.outputs.bound.view() as Float64Array)[0]!;
}

const rows: string[][] = [];
for (const { name, model, data, augmented } of [...more, ...cases] as Row[]) {
  if (flags.only && !name.includes(flags.only)) continue;
  const options = { seed, restarts: 3, tolerance: 1e-13, maxSweeps: 3000 };
  const { elbo, mean, se, elbos } = await monteCarloBound(model as never, data as never, draws, options);
  const { setting } = await fitWithSetting(await problemOf(model as never, data as never), options);
  const reached = await byGradients(setting);
  const apart = se > 1e-9 * Math.abs(elbo) ? ((mean - elbo) / se).toFixed(1) : "0.0";
  rows.push([
    name,
    elbo.toFixed(4),
    String(elbos.length),
    `${mean.toFixed(4)} ± ${short(se)}`,
    augmented ? "above it" : apart,
    reached === null ? "–" : reached.toFixed(4),
    reached === null ? "–" : (elbo - reached).toExponential(1),
  ]);
  process.stderr.write(`${rows.at(-1)!.join("  ")}\n`);
}
console.log(table(["model", "bound", "sweeps", "by draws of q", "standard errors apart", "by gradients", "bound less that"], rows)); // biome-ignore format: one line
