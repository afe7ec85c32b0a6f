import type { CaviOptions } from "../cavi/cavi.ts";
import type { Bounds } from "../cavi/densities.ts";
import { NO_GRADIENTS } from "../cavi/gradient-sites.ts";
import { readGroups } from "../cavi/groups.ts";
import type { StoredFit } from "../cavi/stored-fit.ts";
import type { StructureOptions } from "../cavi/structure.ts";
import { type OptionNames, problemOptionNames } from "../option-names.ts";
import type { Problem, ProblemOptions } from "../problem.ts";

/** Options of `svi`. */
export interface SviOptions extends ProblemOptions {
  /** Default 0. */
  readonly seed?: number;
  /**
   * Starts, of which the one goes on whose bound is the greatest after its first 60 steps, on the same batches. Default 4; starts that
   * are one and the same are not tried again. These steps are besides `maxEpochs`: where an epoch has few, 1 leaves them out.
   */
  readonly restarts?: number;
  /**
   * The outermost plate whose elements are drawn; plates that look at its elements by an index array go with it, as tokens with their
   * documents. By default the plate for which the text says `batch`, or the one that makes most of what is unknown local.
   */
  readonly plate?: string;
  /** Elements of it in a step. Default what the text says, or a 32nd of the plate within 32 and 1024. */
  readonly batch?: number;
  /** Step t moves the global factors by (t + delay)^−forgetting of the way, t from 1. Default 1. */
  readonly delay?: number;
  /** Above 0.5 and at most 1, so that the steps find their end (Robbins and Monro 1951). Default 0.7. */
  readonly forgetting?: number;
  /** Sweeps over the local factors of a batch at most. Default 50. */
  readonly localSweeps?: number;
  /** Of the relative change of their part of the bound, at which their sweeps stop. Default 1e-5. */
  readonly localTolerance?: number;
  /** Passes over the data at most. Default 100. */
  readonly maxEpochs?: number;
  /**
   * It stops when the bound, averaged over each epoch, surely (95 %) changes by less than this of itself in an epoch, and the bound on all
   * data does so, too, in steps that together make a whole one (Σ ρ = 1): small steps alone are no convergence. Default 1e-5.
   */
  readonly tolerance?: number;
  /** How logistic likelihoods are bounded; by default they are refused, since they are conjugate to nothing. */
  readonly logistic?: Bounds["logistic"];
  /** Names of sites that one factor holds together, as in cavi. */
  readonly groups?: CaviOptions["groups"];
  /** A fit of the same model to earlier data, whose posterior is the prior of these. */
  readonly after?: Pick<StoredFit, "state">;
  /** A fit to go on with: of these data by svi, with the bits of a fit that never stopped; or a fit by cavi, as the start. */
  readonly from?: Pick<StoredFit, "state" | "progress">;
  readonly signal?: AbortSignal;
  /** After each step: the bound as its batch has it, scaled to all data. */
  readonly onStep?: (event: SviStep) => void;
}

export const optionNames: OptionNames<SviOptions> = {
  ...problemOptionNames,
  seed: true,
  restarts: true,
  plate: true,
  batch: true,
  delay: true,
  forgetting: true,
  localSweeps: true,
  localTolerance: true,
  maxEpochs: true,
  tolerance: true,
  logistic: true,
  groups: true,
  after: true,
  from: true,
  signal: true,
  onStep: true,
};

/** What `svi` reports after each step; bounds are in nats. */
export interface SviStep {
  readonly epoch: number;
  readonly step: number;
  readonly steps: number;
  /** As the batch has it, and averaged over the steps of this epoch. */
  readonly noisyElbo: number;
  readonly elbo: number;
}

export const boundsOf = ({ logistic }: Pick<SviOptions, "logistic">): Bounds => ({ logistic: logistic ?? null });

/** How the factors of a fit by stochastic steps are laid out. */
export const structureOptions = (
  { layout }: Pick<Problem, "layout">,
  options: Pick<SviOptions, "logistic" | "groups">,
): StructureOptions => ({
  bounds: boundsOf(options),
  gradients: NO_GRADIENTS,
  groups: readGroups(layout, options.groups ?? [], NO_GRADIENTS.sites),
});
