import type { Shape } from "../base/shape.ts";
import type { Trace } from "../ops/vocabulary.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ChainStates, ChainStep, Plate, Site } from "./site.ts";

/** The sites found so far inside one plate or chain, in terms of one element. */
export interface Frame {
  readonly plate: Plate | null;
  /** Which element the body stands for; null outside of all. */
  readonly index: Tensor | null;
  readonly sites: Site[];
  readonly chains: ChainStates[];
  readonly steps: ChainStep[];
}

/** What the pieces of a trace share. */
export interface Tracing {
  readonly b: Trace;
  /** An input node that stands for something until it is replaced. */
  placeholder(label: string, shape: Shape, dtype?: "f64" | "u32"): Tensor;
  /** Draws the elements of subsampled plates; null where plates are taken whole. */
  readonly rng: Key<Tensor> | null;
}
