import {
  bernoulli,
  beta,
  binomial,
  categorical,
  dirichlet,
  full,
  gamma,
  inverseWishart,
  model,
  multivariateNormal,
  normal,
  stack,
  stickBreaking,
  type Tensor,
  where,
  wishart,
} from "../../../src/index.ts";
import { generator } from "./monte-carlo-bound.ts";

// Models as users write them, with data small enough for seconds. One list for all that must hold of every model.

const g = generator("models");
const N = 40;
export const x: number[][] = Array.from({ length: N }, () => [g.normal(), g.normal(), g.normal()]);
export const y: number[] = x.map((r) => 2 * r[0]! - r[1]! + 0.5 * g.normal());
const groups = Array.from({ length: N }, (_, i) => i % 5);
const binary = Array.from({ length: N }, (_, i) => Array.from({ length: 4 }, (_, d) => +(g.uniform() < (i % 2 === d % 2 ? 0.9 : 0.1)))); // biome-ignore format: one line
const twoLines = x.map((r, i) => (i % 2 ? 3 * r[0]! + 1 : -3 * r[0]! - 1) + 0.1 * g.normal());
const documents = Array.from({ length: 120 }, (_, i) => i % 6);
const words = documents.map((d) => (d < 3 ? g.integer(5) : 5 + g.integer(5)));
const sequence = Array.from({ length: 25 }, (_, t) => (Math.floor(t / 6) % 2 ? 3 : 0) + g.normal());
const clusters = x.map((r, i) => [r[0]! + (i % 2 ? 4 : -4), r[1]!]);

const precision = (tau: Tensor): Tensor => tau.pow(-0.5);

type Case = { readonly name: string; readonly model: ReturnType<typeof model>; readonly data: Record<string, unknown> };
const of = (name: string, body: Parameters<typeof model>[0], data: Record<string, unknown>): Case => ({
  name,
  model: model(body as never) as never,
  data,
});
type Data = Record<string, Tensor>;
type Words = Parameters<Parameters<typeof model>[0]>[0];

export const cases: readonly Case[] = [
  of(
    "linear regression with relevance determination",
    (({ sample, observe, plate }: Words, { x, y }: { x: Tensor; y: Tensor }) => {
      const alpha = sample("alpha", gamma(1, 1), [3]);
      const tau = sample("tau", gamma(1, 1));
      const w = sample("w", normal(0, precision(alpha)));
      plate("n", N, (i) => {
        observe("y", normal(x.at(i).mul(w).sum(), precision(tau)), y.at(i));
      });
    }) as never,
    { x, y },
  ),
  of(
    "hierarchical normal",
    (({ sample, observe, plate }: Words, { y, groups }: { y: Tensor; groups: Tensor }) => {
      const mu = sample("mu", normal(0, 10));
      const between = sample("between", gamma(1, 1));
      const within = sample("within", gamma(1, 1));
      const theta = plate("group", 5, () => sample("theta", normal(mu, precision(between))));
      plate("n", N, (i) => {
        observe("y", normal(theta.at(groups.at(i)), precision(within)), y.at(i));
      });
    }) as never,
    { y, groups },
  ),
  of(
    "mixture of Gaussians, Normal–Wishart",
    (({ sample, observe, plate }: Words, { clusters }: { clusters: Tensor }) => {
      const weights = sample("weights", dirichlet([1, 1, 1]));
      const { mu, lambda } = plate("component", 3, () => {
        const lambda = sample("lambda", wishart(3, [[0.5, 0], [0, 0.5]])); // biome-ignore format: short
        return { lambda, mu: sample("mu", multivariateNormal({ mean: [0, 0], precision: lambda.mul(0.1) })) };
      });
      plate("n", N, (i) => {
        const z = sample("z", categorical(weights));
        observe("x", multivariateNormal({ mean: mu.at(z), precision: lambda.at(z) }), clusters.at(i));
      });
    }) as never,
    { clusters },
  ),
  of(
    "mixture of Bernoullis",
    (({ sample, observe, plate }: Words, { binary }: { binary: Tensor }) => {
      const weights = sample("weights", dirichlet([1, 1]));
      const theta = plate("component", 2, () => sample("theta", beta(1, 1), [4]));
      plate("n", N, (i) => {
        const z = sample("z", categorical(weights));
        observe("x", bernoulli(theta.at(z)), binary.at(i));
      });
    }) as never,
    { binary },
  ),
  of(
    "mixture of regressions",
    (({ sample, observe, plate }: Words, { x, twoLines }: { x: Tensor; twoLines: Tensor }) => {
      const weights = sample("weights", dirichlet([1, 1]));
      const { w, tau } = plate("line", 2, () => ({
        w: sample("w", normal(0, 10), [2]),
        tau: sample("tau", gamma(1, 1)),
      }));
      plate("n", N, (i) => {
        const z = sample("z", categorical(weights));
        const line = w.at(z);
        observe("y", normal(line.at(0).add(line.at(1).mul(x.at(i).at(0))), precision(tau.at(z))), twoLines.at(i));
      });
    }) as never,
    { x, twoLines },
  ),
  of(
    "factor analysis with relevance determination",
    (({ sample, observe, plate }: Words, { x }: { x: Tensor }) => {
      const alpha = sample("alpha", gamma(1, 1), [2]);
      const tau = sample("tau", gamma(1, 1), [3]);
      const w = plate("row", 3, () => sample("w", normal(0, precision(alpha))));
      plate("n", N, (i) => {
        const z = sample("z", normal(0, 1), [2]);
        observe("x", normal(w.mul(z).sum(-1), precision(tau)), x.at(i));
      });
    }) as never,
    { x },
  ),
  of(
    "latent Dirichlet allocation",
    (({ sample, observe, plate }: Words, { documents, words }: { documents: Tensor; words: Tensor }) => {
      const phi = plate("topic", 2, () => sample("phi", dirichlet(Array(10).fill(0.5))));
      const theta = plate("document", 6, () => sample("theta", dirichlet([0.5, 0.5])));
      plate("token", 120, (i) => {
        const z = sample("z", categorical(theta.at(documents.at(i))));
        observe("w", categorical(phi.at(z)), words.at(i));
      });
    }) as never,
    { documents, words },
  ),
  of(
    "linear dynamical system",
    (({ sample, observe, chain }: Words, { sequence }: { sequence: Tensor }) => {
      const slope = sample("slope", normal(0, 1));
      const tau = sample("tau", gamma(1, 1));
      const first = sample("first", normal(0, 1));
      chain("time", 25, first, (before, t) => {
        const state = sample("state", normal(before.mul(slope), 1));
        observe("y", normal(state, precision(tau)), sequence.at(t));
        return state;
      });
    }) as never,
    { sequence },
  ),
  of(
    "local level from a fixed start",
    (({ sample, observe, chain }: Words, { sequence }: { sequence: Tensor }) => {
      const [q, r] = [sample("q", gamma(1, 1)), sample("r", gamma(1, 1))];
      chain("time", 25, full(sequence, [], 0), (before, t) => {
        const level = sample("level", normal(before, precision(q)));
        observe("y", normal(level, precision(r)), sequence.at(t));
        return level;
      });
    }) as never,
    { sequence },
  ),
  of(
    "Ising model with a strong repulsion",
    (({ sample, plate, factor }: Words) => {
      const s = plate("row", 4, () => plate("column", 4, () => sample("s", bernoulli(0.5))))
        .mul(2)
        .sub(1);
      factor(
        "rows",
        s
          .narrow(0, 0, 3)
          .mul(s.narrow(0, 1, 3))
          .mul(-1.5)
          .sum(),
      );
      factor(
        "columns",
        s
          .narrow(1, 0, 3)
          .mul(s.narrow(1, 1, 3))
          .mul(-1.5)
          .sum(),
      );
      factor("field", s.mul(0.1).sum());
    }) as never,
    {},
  ),
  of(
    "a mixture by where",
    (({ sample, observe, plate }: Words, { sequence }: { sequence: Tensor }) => {
      const p = sample("p", beta(1, 1));
      const [low, high] = [sample("low", normal(0, 5)), sample("high", normal(0, 5))];
      plate("n", 25, (i) => {
        observe("y", normal(where(sample("z", bernoulli(p)).eq(1), high, low), 1), sequence.at(i));
      });
    }) as never,
    { sequence },
  ),
  of(
    "two discrete sites in one mean",
    (({ sample, observe, plate }: Words, { sequence }: { sequence: Tensor }) => {
      const [a, b] = [sample("a", normal(0, 5), [2]), sample("b", normal(0, 5), [2])];
      plate("n", 25, (i) => {
        const [z, u] = [sample("z", bernoulli(0.4)), sample("u", bernoulli(0.3))];
        observe("y", normal(a.at(z).add(b.at(u)), 1), sequence.at(i));
      });
    }) as never,
    { sequence },
  ),
  of(
    "paired comparisons",
    (({ sample, observe, plate }: Words, { y, groups, others }: Data) => {
      const skill = sample("skill", normal(0, 1), [5]);
      const tau = sample("tau", gamma(1, 1));
      plate("n", N, (i) => {
        observe("y", normal(skill.at(groups!.at(i)).sub(skill.at(others!.at(i))), precision(tau)), y!.at(i));
      });
    }) as never,
    { y, groups, others: groups.map((v, i) => (v + 1 + (i % 3)) % 5) },
  ),
  of(
    "factor analysis with correlated noise",
    (({ sample, observe, plate }: Words, { x, noise }: { x: Tensor; noise: Tensor }) => {
      const w = plate("row", 3, () => sample("w", normal(0, 1), [2]));
      plate("n", N, (i) => {
        const z = sample("z", normal(0, 1), [2]);
        observe("x", multivariateNormal(w.matmul(z.reshape([2, 1])).reshape([3]), noise), x.at(i));
      });
    }) as never,
    { x, noise: [[1, 0.3, 0], [0.3, 1, 0.2], [0, 0.2, 1]] }, // biome-ignore format: short
  ),
  of(
    "Boltzmann machine",
    (({ sample, factor }: Words, { weights }: { weights: Tensor }) => {
      const s = sample("s", bernoulli(0.5), [6]);
      factor(
        "energy",
        s
          .mul(weights.matmul(s.reshape([6, 1])).reshape([6]))
          .sum()
          .mul(0.5),
      );
    }) as never,
    { weights: Array.from({ length: 6 }, (_, i) => Array.from({ length: 6 }, (_, j) => (i === j ? 0 : Math.sin(3 * Math.min(i, j) + Math.max(i, j))))) }, // biome-ignore format: one line
  ),
  of(
    "components with precisions by where",
    (({ sample, observe, plate }: Words, { sequence }: Data) => {
      const p = sample("p", beta(1, 1));
      const [low, high] = [sample("low", normal(0, 5)), sample("high", normal(0, 5))];
      const [loose, tight] = [sample("loose", gamma(1, 1)), sample("tight", gamma(3, 1))];
      plate("n", 25, (i) => {
        const z = sample("z", bernoulli(p)).eq(1);
        observe("y", normal(where(z, high, low), precision(where(z, tight, loose))), sequence!.at(i));
      });
    }) as never,
    { sequence },
  ),
  of(
    "weights with a known covariance of unknown size",
    (({ sample, observe }: Words, { x, y, noise }: Data) => {
      const size = sample("size", gamma(2, 1));
      const tau = sample("tau", gamma(1, 1));
      const w = sample("w", multivariateNormal(0, noise!.div(size)));
      observe("y", normal(x!.mul(w).sum(-1), precision(tau)), y!);
    }) as never,
    { x, y, noise: [[1, 0.3, 0], [0.3, 1, 0.2], [0, 0.2, 1]] }, // biome-ignore format: short
  ),
  of(
    "hidden Markov model with all of its parameters",
    (({ sample, observe, chain, plate }: Words, { sequence }: Data) => {
      const start = sample("start", dirichlet([1, 1]));
      const move = plate("from", 2, () => sample("move", dirichlet([1, 1])));
      const [mean, tau] = [sample("mean", normal(0, 5), [2]), sample("tau", gamma(1, 1), [2])];
      chain("time", 25, sample("first", categorical(start)), (before, t) => {
        const z = sample("z", categorical(move.at(before)));
        observe("y", normal(mean.at(z), precision(tau.at(z))), sequence!.at(t));
        return z;
      });
    }) as never,
    { sequence },
  ),
  of(
    "stochastic block model",
    (({ sample, observe, plate }: Words, { from, to, edges }: Data) => {
      const weights = sample("weights", dirichlet([1, 1]));
      const rates = sample("rates", beta(1, 1), [2, 2]);
      const z = sample("z", categorical(weights), [8]);
      plate("pair", 28, (i) => {
        observe("edge", bernoulli(rates.at(z.at(from!.at(i))).at(z.at(to!.at(i)))), edges!.at(i));
      });
    }) as never,
    network(8),
  ),
  of(
    "block model of two probabilities by where",
    (({ sample, observe, plate }: Words, { from, to, edges }: Data) => {
      const weights = sample("weights", dirichlet([1, 1]));
      const [within, between] = [sample("within", beta(1, 1)), sample("between", beta(1, 1))];
      const z = sample("z", categorical(weights), [8]);
      plate("pair", 28, (i) => {
        const same = z.at(from!.at(i)).eq(z.at(to!.at(i)));
        observe("edge", bernoulli(where(same, within, between)), edges!.at(i));
      });
    }) as never,
    network(8),
  ),
  of(
    "a test of known and unknown errors",
    (({ sample, observe, plate }: Words, { bits }: Data) => {
      const [share, miss] = [sample("share", beta(1, 1)), sample("miss", beta(1, 3))];
      plate("n", 12, (i) => {
        const ill = sample("ill", bernoulli(share));
        observe("found", binomial(4, where(ill, miss.neg().add(1), 0.1)), bits!.at(i));
      });
    }) as never,
    { bits: [4, 0, 1, 3, 2, 0, 0, 4, 3, 0, 1, 4] },
  ),
  of(
    "sites that are occupied or not",
    (({ sample, observe, plate }: Words, { bits }: Data) => {
      const [share, seen] = [sample("share", beta(1, 1)), sample("seen", beta(2, 2))];
      plate("n", 12, (i) => {
        const occupied = sample("occupied", bernoulli(share));
        observe("visits", binomial(4, occupied.mul(seen)), bits!.at(i));
      });
    }) as never,
    { bits: [4, 0, 1, 3, 2, 0, 0, 4, 3, 0, 1, 0] },
  ),
  of(
    "a mixture whose weights are a broken stick",
    (({ sample, observe, plate }: Words, { sequence }: Data) => {
      const alpha = sample("alpha", gamma(2, 1));
      const weights = stickBreaking(sample("v", beta(1, alpha), [4]));
      const mean = sample("mean", normal(0, 5), [5]);
      plate("n", 25, (i) => {
        observe("y", normal(mean.at(sample("z", categorical(weights))), 1), sequence!.at(i));
      });
    }) as never,
    { sequence },
  ),
  of(
    "crossed effects on a large level",
    (({ sample, observe, plate }: Words, { y, groups, others }: Data) => {
      const level = sample("level", normal(1e4, 10));
      const scales = ["u", "v", "noise"].map((name) => precision(sample(`${name} precision`, gamma(2, 1))));
      const [u, v] = [sample("u", normal(0, scales[0]!), [5]), sample("v", normal(0, scales[1]!), [4])];
      plate("n", N, (i) => {
        observe("y", normal(level.add(u.at(groups!.at(i))).add(v.at(others!.at(i))), scales[2]!), y!.at(i));
      });
    }) as never,
    { y: y.map((v) => v + 1e4), groups, others: groups.map((_, i) => i % 4) },
  ),
  of(
    "a Dirichlet process cut off after five sticks, its concentration unknown",
    (({ sample, observe, plate }: Words, { sequence }: Data) => {
      const alpha = sample("alpha", gamma(1, 1));
      const v = sample("v", beta(1, alpha), [4]);
      let rest: Tensor = full(v, [], 1);
      const weights = [0, 1, 2, 3].map((k) => {
        const weight = v.at(k).mul(rest);
        rest = rest.mul(v.at(k).neg().add(1));
        return weight;
      });
      const mean = sample("mean", normal(0, 5), [5]);
      plate("n", 25, (i) => {
        const z = sample("z", categorical(stack([...weights, rest])));
        observe("y", normal(mean.at(z), 0.5), sequence!.at(i));
      });
    }) as never,
    { sequence },
  ),
  of(
    "covariances of groups around an unknown scale",
    (({ sample, observe, plate }: Words, { clusters, groups }: Data) => {
      const eye = [[1, 0], [0, 1]]; // biome-ignore format: short
      const scale = sample("scale", wishart(3, eye));
      const sigma = plate("group", 5, () => sample("sigma", inverseWishart({ df: 5, scale })));
      const mu = sample("mu", multivariateNormal([0, 0], [[25, 0], [0, 25]])); // biome-ignore format: short
      plate("n", N, (i) => {
        observe("x", multivariateNormal(mu, sigma.at(groups!.at(i)).mul(2)), clusters!.at(i));
      });
    }) as never,
    { clusters, groups },
  ),
  of(
    "vectors of groups whose precisions have a scale with an inverse Wishart prior",
    (({ sample, observe, plate }: Words, { clusters, groups }: Data) => {
      const scale = sample("scale", inverseWishart(5, [[1, 0.2], [0.2, 1]])); // biome-ignore format: short
      const lambda = sample("lambda", wishart({ df: 4, scale }));
      const mu = plate("group", 5, () => sample("mu", multivariateNormal({ mean: [0, 0], precision: lambda })));
      plate("n", N, (i) => {
        observe("x", normal(mu.at(groups!.at(i)), 0.5), clusters!.at(i));
      });
    }) as never,
    { clusters, groups },
  ),
];

/** All pairs of some nodes, those of one kind mostly joined. */
function network(nodes: number): Record<string, number[]> {
  const pairs = Array.from({ length: nodes }, (_, i) =>
    Array.from({ length: nodes - 1 - i }, (_, j) => [i, i + 1 + j]),
  );
  const all = pairs.flat();
  return {
    from: all.map(([i]) => i!),
    to: all.map(([, j]) => j!),
    edges: all.map(([i, j], n) => +((i! % 2 === j! % 2) !== (n % 9 === 0))),
  };
}
