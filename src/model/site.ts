import type { Shape } from "../base/shape.ts";
import type { Support } from "../constraints/support.ts";
import type { Family, Params } from "../distributions/distribution.ts";
import type { Initialiser } from "../nn/initialiser.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Repetition around a site: the elements of a plate are independent given what stands outside it, those of a chain follow one another. */
export interface Plate {
  readonly name: string;
  readonly kind: "plate" | "chain";
  readonly size: number;
  /** What the text says of how many elements stand for all in a step. */
  readonly batch?: number;
}

/** How many independent ones that are alike each element stands for, [...plates], leading plates only; null for one. */
export type Copies = Tensor | null;

/** What every site has. Tensors carry the sizes of the plates as leading axes, outermost first. */
interface Common {
  readonly name: string;
  readonly plates: readonly Plate[];
  /** Shape of the value within the innermost plate. */
  readonly shape: Shape;
  /** The value: of a latent site an input node that stands for it. */
  readonly value: Tensor;
}

/** A random quantity: z of the joint density, or x where it was observed. */
export interface RandomSite extends Common {
  readonly kind: "sample" | "observe" | "param";
  /** Null for a parameter without a prior. */
  readonly family: Family | null;
  /** At the site's full batch shape. */
  readonly params: Params;
  readonly support: Support;
  /** Log density of each element: shape [...plates, ...batch]; null for a parameter without a prior. */
  readonly logProb: Tensor | null;
  /** size / batch of the subsampled plates around it: what its log density counts for in the joint one. */
  readonly scale: number;
  readonly copies: Copies;
  readonly initial: number | readonly number[] | null;
  readonly initialise: Initialiser | null;
}

/** An extra term of the log joint. */
export interface FactorSite extends Common {
  readonly kind: "factor";
  readonly logProb: Tensor;
  readonly scale: number;
  readonly copies: Copies;
}

export interface DeterministicSite extends Common {
  readonly kind: "deterministic";
}

export type Site = RandomSite | FactorSite | DeterministicSite;

/**
 * The states of a chain. `previous` (an input node) stands for the states before each step; where no discrete state is summed
 * out it is replaced by `shifted`: the initial state followed by all but the last of `next`.
 */
export interface ChainStates {
  readonly chain: Plate;
  readonly plates: readonly Plate[];
  readonly initial: Tensor;
  readonly previous: Tensor;
  readonly next: Tensor;
  readonly shifted: Tensor;
}

/**
 * One step of a chain as it was written, for drawing its sites in order of time. Only of chains outside plates.
 */
export interface ChainStep {
  readonly chain: Plate;
  readonly initial: readonly Tensor[];
  readonly before: readonly Tensor[];
  readonly index: Tensor;
  readonly after: readonly Tensor[];
  readonly sites: readonly Site[];
}

/** A model that was traced: its sites in the order of the text. */
export interface TracedModel {
  readonly sites: readonly Site[];
  readonly chains: readonly ChainStates[];
  readonly steps: readonly ChainStep[];
  /** What the body returned, by name; the sites are reported where it returned nothing. */
  readonly returned: Readonly<Record<string, Tensor>> | null;
}

export const isLatent = (site: Site): site is RandomSite => site.kind === "sample" || site.kind === "param";

/** Sizes of the plates around a site, outermost first. */
export const plateSizes = (plates: readonly Plate[]): number[] => plates.map((p) => p.size);
