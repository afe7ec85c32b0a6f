import type { Shape } from "../base/shape.ts";
import type { Support } from "../constraints/support.ts";
import type { Distribution, ParamValue } from "../distributions/distribution.ts";
import type { Initialiser } from "../nn/initialiser.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Structure } from "./structure.ts";

/** Options of `param`. */
export interface ParamOptions {
  /** A prior turns the estimate of maximum likelihood into that of maximum posterior density. */
  readonly prior?: Distribution;
  /** Where the parameter lies; default: the prior's support, or the real line. */
  readonly support?: Support;
  readonly shape?: Shape;
  /** Where an optimizer starts. */
  readonly initial?: number | readonly number[];
  /** How its first value is drawn, where the method learns it step by step: for the weights of networks. */
  readonly initialise?: Initialiser;
}

/** Options of `plate`. */
export interface PlateOptions {
  /** So many elements, drawn anew at each step of a stochastic fit, stand for the whole plate. */
  readonly batch?: number;
  /**
   * How many elements that are alike each stands for, [size]: a table of distinct rows and their counts in place of all rows. Each
   * copy has discrete latent sites of its own.
   */
  readonly copies?: ParamValue;
}

/** What a model's text is written with. Names are those of the posterior. */
export interface Context {
  /** A latent quantity; with `shape`, so many independent ones. */
  sample(name: string, distribution: Distribution, shape?: Shape): Tensor;
  /** Data: the value's log density enters the joint one. Returns the value. */
  observe(name: string, distribution: Distribution, value: ParamValue): Tensor;
  /** A quantity θ to be estimated rather than integrated out, unless a family is put on it. */
  param(name: string, options?: ParamOptions): Tensor;
  /** `size` independent repetitions of a body that is written for one, which receives its index. Returns what it returned, stacked. */
  plate<S extends Structure>(name: string, size: number, body: (index: Tensor) => S): S;
  plate<S extends Structure>(name: string, size: number, options: PlateOptions, body: (index: Tensor) => S): S;
  /** `length` steps in time: each body receives the state before it and its step (from 0), and returns the next state. Returns all states but the initial one, stacked. */
  chain<S extends Structure>(name: string, length: number, initial: S, body: (previous: S, step: Tensor) => S): S;
  /** A named function of the others, to be reported. */
  deterministic(name: string, value: Tensor): Tensor;
  /** Adds to the log joint density. */
  factor(name: string, logWeight: Tensor | number): void;
}
