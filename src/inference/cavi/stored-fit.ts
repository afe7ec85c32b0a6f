import { DataError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";
import { encodeSafetensors } from "../../data/safetensors.ts";
import { decodeSafetensors } from "../../data/safetensors-read.ts";
import type { Block } from "./blocks/block.ts";
import { type Factor, factorsOf } from "./factors.ts";
import { stateKey } from "./sweep.ts";

/** One factor of q as it is stored: its name, family, sites and the shapes of its arrays. */
export type StoredFactor = Pick<Block, "name" | "family" | "sites" | "state">;

/** Where stochastic steps stand: what a fit needs besides its factors to go on as if it had not stopped. */
export interface SviProgress {
  readonly plate: string;
  readonly batch: number;
  readonly seed: number;
  readonly steps: number;
  /** The mean bound of each epoch's batches. */
  readonly bounds: readonly number[];
  /** Elements of each plate that are held in memory. */
  readonly sizes: readonly number[];
  /** Whether sums over looked-up logarithms go by tables. */
  readonly tables: boolean;
  /** The bound on all data where it was last computed, to tell what the steps since then have changed. */
  readonly checked?: { readonly steps: number; readonly elbo: number } | null;
}

/** A fit by coordinate ascent or by stochastic steps, as far as it can be stored. */
export interface StoredFit {
  /** The evidence lower bound at q, in nats: exact, no draws are involved. */
  readonly elbo: number;
  /** The bound after each sweep; of stochastic steps the mean of each epoch's batches. */
  readonly elbos: readonly number[];
  readonly sweeps: number;
  readonly converged: boolean;
  /** Why it stopped, in words. */
  readonly reason: string;
  /** The factors by the names of their sites. */
  readonly factors: Readonly<Record<string, Factor>>;
  /** The state of q, by factor and array: what a later fit goes on from. */
  readonly state: ReadonlyMap<string, Float64Array>;
  /** Null of a fit without stochastic steps. */
  readonly progress: SviProgress | null;
}

const FORMAT = "ansatz variational fit 1";

/** A fit as bytes (safetensors): factors, bound and progress; `loadFit` reads them. */
export function saveFit(fit: Omit<StoredFit, "factors">, blocks: readonly StoredFactor[]): Uint8Array {
  const shapes: Record<string, Shape> = Object.fromEntries(
    blocks.flatMap((b) => Object.entries(b.state).map(([name, shape]) => [stateKey(b as Block, name), shape])),
  );
  const tensors = [...fit.state].map(([key, data]) => [key, { dtype: "f64" as const, shape: shapes[key] ?? [data.length], data }]); // biome-ignore format: one line
  const { elbo, elbos, sweeps, converged, reason, progress } = fit;
  const stored = blocks.map(({ name, family, sites, state }) => ({ name, family, sites, state }));
  const about = { elbo, elbos, sweeps, converged, reason, progress, factors: stored };
  return encodeSafetensors(Object.fromEntries(tensors), { format: FORMAT, fit: JSON.stringify(about) });
}

/**
 * A fit that `save` wrote: its posterior can be the prior of later data (`after`), go into `combine`, or be gone on with (`from`).
 *
 * @throws DataError where the bytes are something else
 */
export function loadFit(bytes: Uint8Array, source = "the stored fit"): StoredFit {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata.format !== FORMAT) {
    throw new DataError(
      `${source} says that it is "${metadata.format ?? "nothing"}", but "${FORMAT}" is what this reads`,
    );
  }
  const { factors, ...about } = JSON.parse(metadata.fit!) as Omit<StoredFit, "factors" | "state"> & {
    factors: StoredFactor[];
  };
  const state = new Map(Object.entries(tensors).map(([key, { data }]) => [key, data as Float64Array]));
  return { ...about, state, factors: factorsOf(factors as Block[], (b, name) => state.get(stateKey(b, name))!) };
}
