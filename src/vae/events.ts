import type { Vae } from "./vae.ts";

/** Bounds are negative ELBOs in nats per example; `epoch` counts from 1, `step` over the whole fit. */
interface Position {
  readonly step: number;
  readonly epoch: number;
}

/** How a training ended; bounds are in nats for each row. */
export interface TrainingSummary {
  readonly step: number;
  readonly epochs: number;
  /** Mean over the last epoch, while the parameters moved; null where no epoch was trained. */
  readonly trainNegElbo: number | null;
  /** Over all test rows with the last parameters; null without test rows. */
  readonly testNegElbo: number | null;
  /** Seconds in training steps alone. */
  readonly secondsTraining: number;
  readonly imagesPerSecond: number;
  /** Which backend runs the steps, with its BLAS. */
  readonly backend: string;
  readonly parameterHash: string;
}

/** What a fit tells while it runs. */
export type VaeEvent =
  | (Position & {
      readonly kind: "start";
      /** Steps and epochs of the whole fit. */
      readonly steps: number;
      readonly epochs: number;
      readonly parameters: number;
      readonly backend: string;
    })
  | (Position & {
      readonly kind: "step";
      readonly steps: number;
      readonly epochs: number;
      /** Means over the steps since the last such event. */
      readonly negElbo: number;
      readonly rate: number;
      readonly distortion: number;
      readonly imagesPerSecond: number;
      readonly secondsLeft: number;
    })
  | (Position & {
      readonly kind: "epoch";
      readonly epochs: number;
      readonly trainNegElbo: number;
      readonly testNegElbo: number | null;
      readonly rate: number;
      readonly distortion: number;
      /** Of this epoch's training steps; after a resume, of those in this process. */
      readonly seconds: number;
      readonly imagesPerSecond: number;
    })
  | (Position & {
      /** Latent dimensions whose posterior mean hardly depends on x: they are not used. */
      readonly kind: "collapsed";
      readonly dimensions: readonly number[];
      readonly latent: number;
      /** Variance of the posterior mean of each dimension over the data. */
      readonly variances: readonly number[];
      readonly message: string;
    })
  | (Position & { readonly kind: "nonFinite"; readonly message: string })
  | (Position & { readonly kind: "aborted" })
  | (Position & TrainingSummary & { readonly kind: "done" });

/** A fit as a listener sees it. */
export interface Fit {
  readonly vae: Vae;
  /** Everything that a resume needs, as a safetensors file that `Vae.load` reads too. */
  checkpoint(): Uint8Array;
}
