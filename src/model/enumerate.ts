import { OptionError } from "../base/errors.ts";
import { isDiscrete, type Support } from "../constraints/support.ts";
import { logProbability } from "../distributions/special/log-probability.ts";
import type { Node } from "../ir/node.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { broadcastTo, full, iota, stack, transpose, where } from "../tensor/functions.ts";
import { scan } from "../tensor/scan.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vmap } from "../transforms/vmap.ts";
import { rowOfConstant } from "./constant-rows.ts";
import { type ChainStates, type Copies, plateSizes, type RandomSite, type TracedModel } from "./site.ts";
import { dependents, substitute } from "./substitute.ts";
import { counted, type Term } from "./terms.ts";

/** States of one site that are summed over. They are an axis of the density: in a chain of so many, a million numbers for each step. */
const MOST_STATES = 1024;
/** So many states are written out, each folded to what it leaves of the density; more are one more axis of it. */
const MOST_WRITTEN_OUT = 8;

export const discreteSites = (model: TracedModel): RandomSite[] =>
  model.sites.filter((site): site is RandomSite => site.kind === "sample" && isDiscrete(site.support));

/**
 * The values of a discrete site.
 *
 * @throws OptionError where they cannot be listed
 */
export function statesOf({ name, support, shape, family }: RandomSite): number[] {
  const call = `sample("${name}")`;
  const ways = "Sum it out by hand, observe it, or use a method that keeps discrete sites.";
  const states = listed(support);
  if (!states) {
    throw new OptionError(
      `${call}: a ${family!.name} takes values without end (or a number of them that depends on other sites), so that it ` +
        `cannot be summed out where gradients are needed. Say up to where, as in truncated(poisson(rate), { high: 40 }), sum it out by ` +
        "hand, observe it, or fit from a program by cavi(model, data), which keeps discrete sites.",
    );
  }
  if (shape.length) {
    throw new OptionError(
      `${call} is a discrete site of shape [${shape.join(", ")}]: write it for one element inside a plate, so that each is summed out alone`,
    );
  }
  if (states.length > MOST_STATES) {
    throw new OptionError(`${call} has ${states.length} states; at most ${MOST_STATES} are summed out. ${ways}`);
  }
  return states;
}

function listed(support: Support): number[] | null {
  if (support.kind === "binary") return [0, 1];
  if (support.kind === "categories") return [...Array(support.count).keys()];
  if (support.kind === "counts" && typeof support.high === "number") {
    const { low, high } = support;
    return Array.from({ length: high - low + 1 }, (_, i) => low + i);
  }
  return null;
}

/**
 * Something added to the log probability of each state of a site, [states, ...plates]. The derivative of the summed log joint by it,
 * at zero, is the posterior probability of the state.
 */
export type Tilts = Readonly<Record<string, Tensor>>;

/**
 * Sums discrete sites out of the terms, the last first: of a site in a plate alone Σ_k, as log Σ_k exp(terms at k); of the state
 * of a chain by the backward recursion β_{t−1}(j) = log Σ_k exp(terms_t(j, k) + β_t(k)) (Rabiner 1989), which leaves a function of
 * the initial state.
 *
 * @throws OptionError where a site cannot be summed out
 */
export function sumOut(b: Trace, model: TracedModel, terms: readonly Term[], tilts: Tilts = {}): Term[] {
  let left = [...terms];
  for (const site of discreteSites(model).reverse()) {
    const chain = model.chains.find((c) => c.next.node === site.value.node);
    const tilt = tilts[site.name] ?? null;
    left = chain ? sumOutChain(b, site, chain, left, tilt) : sumOutAlone(b, site, left, tilt);
  }
  return left;
}

/** Terms that depend on one of the nodes, and the others. */
function divided(terms: readonly Term[], roots: readonly Node[]): { those: Term[]; others: Term[] } {
  const found = dependents(terms.map((t) => t.logProb.node), new Set(roots)); // biome-ignore format: short
  return {
    those: terms.filter((t) => found.has(t.logProb.node)),
    others: terms.filter((t) => !found.has(t.logProb.node)),
  };
}

/** Terms at the level of a site: what stands in plates further in is summed. */
function atLevel(site: RandomSite, terms: readonly Term[]): Tensor {
  const depth = site.plates.length;
  const parts = terms.map((term) => {
    const { plates, logProb, scale } = term;
    const within = site.plates.every((p, i) => plates[i]?.name === p.name);
    if (!within || scale !== 1) {
      const where = plates.length ? `plate("${plates[0]!.name}")` : "the model's outer level";
      const why = within ? "a subsampled plate" : `${where}, outside the plate of the site`;
      throw new OptionError(
        `sample("${site.name}") is discrete, and "${term.sites.join('", "')}" in ${why} depends on it: it cannot be summed out one element at a time`,
      );
    }
    const each = counted(logProb, copiesWithin(term.copies, site.copies));
    const { shape } = logProb;
    return shape.length > depth ? each.sum(shape.map((_, d) => d).slice(depth)) : each;
  });
  return parts.reduce((sum, part) => sum.add(part));
}

/** How often a term counts for one copy of a site that stands around it. */
function copiesWithin(term: Copies, site: Copies): Copies {
  if (!term || !site) return term;
  if (term.node === site.node) return null;
  return term.div(site.reshape([...site.shape, ...term.shape.slice(site.shape.length).map(() => 1)]));
}

/** log Σ exp over tensors of one shape, elementwise. */
function logSumExp(parts: readonly Tensor[]): Tensor {
  if (parts.length === 1) return parts[0]!;
  if (parts.length > 8) return stack(parts).logsumexp(0);
  const most = parts.reduce((a, x) => a.maximum(x));
  // Where all are −∞ the shift must stay finite.
  const shift = where(most.gt(-Infinity), most, 0).stopGradient();
  return logProbability(parts.map((x) => x.sub(shift).exp()).reduce((a, x) => a.add(x))).add(shift);
}

const tilted = (logProb: Tensor, tilt: Tensor | null, state: number): Tensor =>
  tilt ? logProb.add(tilt.at(state)) : logProb;

const states = (b: Trace, of: Tensor, value: number): Node => full(new Tensor(b, of.node), of.shape, value).node;

/** A density at each value of a site, as a new first axis. */
function acrossStates(b: Trace, value: Tensor, density: Tensor, all: readonly number[]): Tensor {
  const column = iota(value, [all.length, ...value.shape], 0, "f64").add(all[0]!);
  return new Tensor(b, vmap(b, [density.node], new Map([[value.node, column.node]]), all.length)[0]!);
}

function sumOutAlone(b: Trace, site: RandomSite, terms: readonly Term[], tilt: Tensor | null): Term[] {
  const { those, others } = divided(terms, [site.value.node]);
  const joint = atLevel(site, those);
  const all = statesOf(site);
  if (all.length > MOST_WRITTEN_OUT) {
    const stacked = acrossStates(b, site.value, joint, all);
    const logProb = (tilt ? stacked.add(tilt) : stacked).logsumexp(0);
    return [...others, joined(site, those, site.plates, logProb)];
  }
  const parts = all.map((k, i) => {
    const [at] = substitute(b, [joint.node], new Map([[site.value.node, states(b, site.value, k)]]), rowOfConstant);
    return tilted(new Tensor(b, at!), tilt, i);
  });
  return [...others, joined(site, those, site.plates, logSumExp(parts))];
}

/** What is left of a sum is data where data were part of it: it is then a pointwise log-likelihood. */
function joined(site: RandomSite, from: readonly Term[], plates: RandomSite["plates"], logProb: Tensor): Term {
  const names = from.flatMap((t) => t.sites).filter((n) => n !== site.name);
  const kind = from.some((t) => t.kind === "observe") ? "observe" : site.kind;
  return { sites: names.length ? names : [site.name], kind, plates, logProb, scale: 1, copies: site.copies };
}

function sumOutChain(
  b: Trace,
  site: RandomSite,
  chain: ChainStates,
  terms: readonly Term[],
  tilt: Tensor | null,
): Term[] {
  const { previous, initial } = chain;
  const { those, others } = divided(terms, [site.value.node, previous.node]);
  const joint = atLevel(site, those);
  const all = statesOf(site);
  const potentials = all.map((j) =>
    stack(
      all.map((k, i) => {
        const fixed = new Map([
          [site.value.node, states(b, site.value, k)],
          [previous.node, states(b, previous, j)],
        ]);
        return tilted(new Tensor(b, substitute(b, [joint.node], fixed, rowOfConstant)[0]!), tilt, i);
      }),
    ),
  );
  // [from, to, ...plates, T] → [T, from, to, ...plates]
  const table = stack(potentials);
  const rank = table.shape.length;
  const inTime = transpose(table, [rank - 1, ...Array(rank - 1).keys()]);
  const plates = site.plates.slice(0, -1);
  const zero = full(inTime, [all.length, ...plateSizes(plates)], 0);
  const { carry: beta } = scan({ carry: zero, xs: inTime, length: chain.chain.size, reverse: true }, (after, step) => ({
    carry: logSumExp(all.map((_, k) => step.narrow(1, k, 1).reshape(after.shape).add(broadcastTo(after.narrow(0, k, 1), after.shape)))), // biome-ignore format: one line
  }));
  const message = all.map((_, j) => beta.narrow(0, j, 1).reshape(plateSizes(plates)));
  const picked = message.reduceRight((otherwise, value, j) => where(initial.eq(all[j]!), value, otherwise));
  return [...others, joined(site, those, plates, picked)];
}
