import type { TypedArray } from "../base/dtype.ts";
import { encodeSafetensors, type StoredTensor } from "../data/safetensors.ts";
import type { Layout } from "../nn/layout.ts";
import type { VaeConfig } from "./options.ts";
import type { Standard } from "./standard.ts";

/** What a model knows of the data it was fitted to. */
export interface VaeData {
  readonly name: string;
  /** Shape of one row: [28, 28] for an image. */
  readonly eventShape: readonly number[];
  /** value / scale is the natural value. */
  readonly scale: number;
  /** Training rows. */
  readonly count: number;
  /** Of the training rows, where the model is of standardised values. */
  readonly standard?: Standard;
}

/** Where a fit stands, besides its vectors: enough to go on with the same bits. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Sums over the examples seen in the current epoch. */
  readonly examples: number;
  readonly rate: number;
  readonly distortion: number;
  /** Seconds spent in training steps. */
  readonly seconds: number;
}

/** A model as stored, with or without the state of its fit. */
export interface StoredVae {
  readonly config: VaeConfig;
  readonly data: VaeData;
  readonly parameters: TypedArray;
  readonly progress: Progress | null;
  /** The optimizer's vectors by name; none where only the model was saved. */
  readonly slots: Readonly<Record<string, TypedArray>>;
}

export const FORMAT = "ansatz-vae-1";
export const SLOT = "optimizer.";

/** One safetensors file: every parameter under its name, each optimizer vector flat, all else as JSON in the metadata. */
export function encodeVae({ config, data, parameters, progress, slots }: StoredVae, layout: Layout): Uint8Array {
  const { dtype } = config;
  const tensors: Record<string, StoredTensor> = {};
  for (const { name, shape, offset, size } of layout.places) {
    tensors[name] = { dtype, shape, data: parameters.subarray(offset, offset + size) };
  }
  for (const [name, values] of Object.entries(slots)) {
    tensors[SLOT + name] = { dtype, shape: [values.length], data: values };
  }
  return encodeSafetensors(tensors, {
    format: FORMAT,
    config: JSON.stringify(config),
    data: JSON.stringify(data),
    ...(progress && { progress: JSON.stringify(progress) }),
  });
}
