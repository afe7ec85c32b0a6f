/** One finished epoch. Bounds are negative ELBOs in nats per example; `null` where it was not evaluated. */
export interface EpochMetrics {
  readonly step: number;
  readonly epoch: number;
  readonly trainNegElbo: number;
  readonly testNegElbo: number | null;
  /** KL(q(z given x) ‖ p(z)) in nats per example. */
  readonly rate: number | null;
  /** −E log p(x given z) in nats per example. */
  readonly distortion: number | null;
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

/** Gray images in a grid: `values` has shape [rows, columns, height, width], row-major, 0 black to 1 white. */
export interface ImageGrid {
  readonly rows: number;
  readonly columns: number;
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array | readonly number[];
}

/** Originals beside reconstructions for data that are not images; both have shape [examples, columns]. */
export interface ReconstructionTable {
  readonly columns: readonly string[];
  readonly original: readonly (readonly number[])[];
  readonly reconstructed: readonly (readonly number[])[];
}

/** Latent means in the plane. `labels` are indices into `labelNames`, or values of their own where there are no names. */
export interface LatentPlane {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly labels: readonly number[] | null;
  readonly labelNames: readonly string[] | null;
  readonly xName: string;
  readonly yName: string;
}

/** Variance over the data of each dimension's posterior mean; a unit is active above `threshold` (Burda et al. 2016). */
export interface ActiveUnits {
  readonly variances: readonly number[];
  readonly threshold: number;
}

/** All that a report shows. What is `null` or empty is left out. */
export interface ReportInput {
  readonly title: string;
  readonly createdAt: string;
  readonly version: string;
  /** Headline numbers, already written out. */
  readonly summary: readonly { readonly label: string; readonly value: string }[];
  readonly metrics: readonly EpochMetrics[];
  readonly originals: ImageGrid | null;
  /** Same layout as `originals`: shown as pairs, each original above its reconstruction. */
  readonly reconstructions: ImageGrid | null;
  readonly samples: ImageGrid | null;
  /** Decoded means over the latent plane; only for two latent dimensions. */
  readonly decodedGrid: ImageGrid | null;
  readonly table: ReconstructionTable | null;
  readonly latent: LatentPlane | null;
  readonly activeUnits: ActiveUnits | null;
  readonly warnings: readonly string[];
  readonly configuration: readonly { readonly key: string; readonly value: string }[];
  readonly timings: readonly { readonly label: string; readonly seconds: number }[];
}
