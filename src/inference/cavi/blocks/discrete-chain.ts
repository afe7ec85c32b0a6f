import type { Shape } from "../../../base/shape.ts";
import { categorical } from "../../../distributions/categorical.ts";
import { gradient } from "../../../program/program.ts";
import { full, iota, where } from "../../../tensor/functions.ts";
import type { Key } from "../../../tensor/random.ts";
import { scan } from "../../../tensor/scan.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { Block } from "./block.ts";
import { type Chain, fromFront, toFront } from "./chain.ts";

const column = (x: Tensor): Tensor => x.reshape([...x.shape, 1]);

/**
 * A chain of discrete states: log potentials of neighbours [...plates, T, before, after] and of the first state. Marginals are the
 * gradient of log Z by them: the forward recursion differentiated is forward–backward (Rabiner 1989).
 */
export function discreteChainBlock({ variable, time, initial }: Chain, states: number): Block {
  const { site, shape } = variable;
  const first = shape.toSpliced(time, 1);
  const sites = "site" in initial ? [initial.site, site] : [site];
  return {
    name: sites.join(", "),
    sites,
    family: "markovChain",
    state: { initial: [...first, states], pairs: [...shape, states, states] },
    expected: ({ initial: start, pairs }) => {
      const begin = "site" in initial ? start! : where<Tensor>(iota(start!, start!.shape, first.length, "f64").eq(initial.value), 0, full(start!, start!.shape, -1e300)); // biome-ignore format: one line
      const potentials = pairs!.mul(1);
      const alpha = begin.mul(1);
      const { carry } = scan({ carry: alpha, xs: toFront(potentials, time), length: shape[time]! }, (before, x) => ({
        carry: column(before).add(x).logsumexp(-2),
      }));
      const logZ = carry.logsumexp(-1);
      const [pair, own] = gradient(logZ.sum(), [potentials, alpha]) as [Tensor, Tensor];
      const held = (x: Tensor) => x.stopGradient();
      const joint = held(pair);
      const firstProbs = held(own);
      const energy = where<Tensor>(joint.gt(0), joint.mul(potentials), 0).sum([time, -2, -1]);
      const firstEnergy = where<Tensor>(firstProbs.gt(0), firstProbs.mul(alpha), 0).sum(-1);
      return {
        sites: {
          [site]: { kind: "discrete", probs: joint.sum(-2), before: { probs: joint.sum(-1), pair: joint } },
          ...("site" in initial
            ? { [initial.site]: { kind: "discrete", probs: firstProbs, before: null } as const }
            : {}),
        },
        wrt: { pair: joint, initial: firstProbs },
        entropy: logZ.sub(energy).sub(firstEnergy),
      };
    },
    update: (_state, _wrt, { pair, initial: own }) => ({ pairs: pair!, initial: own! }),
    draw(state, key, count) {
      const { sites: found } = this.expected(state);
      const own = found[site] as { before: { pair: Tensor } };
      const draws = (probs: Tensor, k: Key<Tensor>, batch: Shape) => categorical.sample!(k, { probs }, batch);
      const like = own.before.pair;
      const start = "site" in initial ? (found[initial.site] as { probs: Tensor }).probs : null;
      const begin = start
        ? draws(start, key.site("first"), [count, ...first])
        : full(like, [count, ...first], "value" in initial ? initial.value : 0);
      const { ys } = scan({ carry: begin, xs: toFront(like, time), length: shape[time]! }, (before, pair, t) => {
        const chosen = iota(like, [states], 0, "f64").eq(column(before)).cast("f64");
        const joint = column(chosen).mul(pair).sum(-2);
        const value = draws(joint, key.site(site).fold(t), [count, ...first]);
        return { carry: value, y: value };
      });
      const all = fromFront(ys as Tensor, time + 1);
      return "site" in initial ? { [initial.site]: begin, [site]: all } : { [site]: all };
    },
    expectedLog: null,
    averaged: null,
    logDensity: null,
  };
}
