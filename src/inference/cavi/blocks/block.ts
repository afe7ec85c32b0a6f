import type { Shape } from "../../../base/shape.ts";
import { full } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import type { Key } from "../../../tensor/random.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { SiteStatistics } from "../moments.ts";

export type State = Readonly<Record<string, Tensor>>;

/** What a factor's state says of its sites. */
export interface Expected {
  readonly sites: Readonly<Record<string, SiteStatistics>>;
  /** The statistics by which the expected log joint is differentiated, by the names that `update` has for them. */
  readonly wrt: State;
  /** In nats, of elements: the leading axes are the plates, wherever q holds their elements apart; the sum is the factor's. */
  readonly entropy: Tensor;
}

/** Some latent sites that q holds in one factor: an exponential family. */
export interface Block {
  readonly name: string;
  readonly sites: readonly string[];
  readonly family: string;
  /** The arrays that are kept of it. */
  readonly state: Readonly<Record<string, Shape>>;
  expected(state: State): Expected;
  /** The optimal factor: natural parameters from the gradient of the expected log joint by the expected statistics. */
  update(state: State, wrt: State, gradients: State): State;
  /** Independent draws of its sites, [count, ...site]. */
  draw(state: State, key: Key<Tensor>, count: number): State;
  /**
   * E log of a factor of this family at the state `before`, relative to the same measure as the entropy, under the statistics of q: what
   * stands in place of the prior when the posterior of earlier data is the prior of these. Null where that is not offered.
   */
  readonly expectedLog: ((before: State, q: Expected["sites"]) => Tensor) | null;
  /**
   * Of a parameter that is estimated: the gradients that steps on parts of the data average, since its optimum is a function of all of
   * them, with their shapes; the others are slopes at its value, which are 0 at the optimum. Null of factors, which are averaged
   * themselves.
   */
  readonly averaged: Readonly<Record<string, Shape>> | null;
  /** log q in nats at values of its continuous sites; null for a factor of discrete ones. */
  readonly logDensity: ((state: State, values: State) => Tensor) | null;
  /** Whether its states are counts without end: no labels, which a start would have to tell apart. */
  readonly isCount?: boolean;
  /** Whether it is found by gradients: then only shares of an update are sure to raise the bound. */
  readonly byGradient?: boolean;
  /** A share of an update, from 0 to 1, in natural parameters. */
  readonly damped?: (state: State, wrt: State, gradients: State, share: Tensor) => State;
  /** A better state by the slope and curvature of the expected log joint; never a worse one. */
  readonly ascend?: (state: State, wrt: State, joint: Tensor, bound: (state: State) => Tensor) => State;
  /** Of several sites laid end to end: one site's part of the mean, from the state in memory; null of one that is not among them. */
  readonly meanOf?: (site: string, state: Readonly<Record<string, Float64Array>>) => FactorArray | null;
}

/** An array of a factor's parameters, row-major. */
export interface FactorArray {
  readonly shape: Shape;
  readonly values: Float64Array;
}

/** A latent site as it stands in memory: axes [...plates, ...own]; `events` are those that one factor holds jointly. */
export interface Variable {
  readonly site: string;
  readonly shape: Shape;
  readonly events: readonly number[];
}

/** What every element of an array is in a state that says nothing: means and potentials 0, precisions the unit matrix, shapes 1. */
function neutral(name: string, { state }: Block): number | "identity" {
  if (/precision|inverseScale|^scale$/i.test(name)) return "identity";
  if (name === "df") return (state.inverseScale ?? state.scale)!.at(-1)! + 1;
  return /mean|coupling|pairs|initial$/i.test(name) ? 0 : 1;
}

/** A proper state that says nothing, as constants: nothing may be differentiated by them. */
export function neutralState(like: Tensor, block: Block): State {
  return Object.fromEntries(
    Object.entries(block.state).map(([name, shape]) => {
      const value = neutral(name, block);
      const constant = full(like, shape, value === "identity" ? 0 : value, "f64");
      return [name, value === "identity" ? constant.add(linalg.identity(like, shape.at(-1)!)) : constant];
    }),
  );
}

/** The same in memory. */
export function writeNeutral(block: Block, name: string, into: Float64Array): void {
  const value = neutral(name, block);
  into.fill(value === "identity" ? 0 : value);
  const n = block.state[name]!.at(-1)!;
  if (value !== "identity") return;
  for (let from = 0; from < into.length; from += n * n) for (let i = 0; i < n; i++) into[from + i * (n + 1)] = 1;
}

export const total = (x: Tensor): Tensor => x.sum();
