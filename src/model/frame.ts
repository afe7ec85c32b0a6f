import type { Shape } from "../base/shape.ts";
import type { Trace } from "../ops/vocabulary.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ChainStates, ChainStep, Plate, Site } from "./site.ts";

/** Elements of a plate that are traced in place of all. */
export interface Rows {
  /** Which, u32 [rows]. */
  readonly index: Tensor;
  /** How many each stands for, f64 [rows]. */
  readonly copies: Tensor;
  /**
   * Where among the rows each element of the whole plate is, u32 [size]: what the plate returns is then looked up by the numbers of
   * the whole. Null where nothing outside the plate looks at it.
   */
  readonly places: Tensor | null;
}

/** The sites found so far inside one plate or chain, in terms of one element. */
export interface Frame {
  readonly plate: Plate | null;
  /** Which element the body stands for; null outside of all. */
  readonly index: Tensor | null;
  readonly sites: Site[];
  readonly chains: ChainStates[];
  readonly steps: ChainStep[];
}

/** How a model's text is run. */
export interface TraceOptions {
  /** Draws the elements of subsampled plates; without it plates are taken whole. */
  readonly rng?: Key<Tensor> | null;
  /** The arithmetic of all that is continuous. Default f64; networks are as good in f32. */
  readonly dtype?: "f32" | "f64";
  /**
   * Elements of plates by the plate's name, u32 [rows]: latent sites then stand for these alone, and terms are not scaled, since
   * only who chose the elements knows what they count for, unless that is said with them.
   */
  readonly rows?: Readonly<Record<string, Tensor | Rows>>;
}

/** What the pieces of a trace share. */
export interface Tracing {
  readonly b: Trace;
  /** An input node that stands for something until it is replaced. */
  placeholder(label: string, shape: Shape, dtype?: "u32"): Tensor;
  readonly rng: Key<Tensor> | null;
  readonly dtype: "f32" | "f64";
  readonly rows: Readonly<Record<string, Tensor | Rows>>;
}
