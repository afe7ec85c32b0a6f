import { allocate } from "../base/dtype.ts";
import { DataError } from "../base/errors.ts";
import { decodeSafetensors } from "../data/safetensors-read.ts";
import type { Layout } from "../nn/layout.ts";
import { type VaeConfig, vaeOptions } from "./options.ts";
import { FORMAT, type Progress, SLOT, type StoredVae, type VaeData } from "./vae-file.ts";

/**
 * The inverse of `encodeVae`.
 *
 * @param layoutOf  the layout of a configuration over rows of the given shape
 * @throws          DataError when the file is damaged, not one of ours, or holds other parameters than its configuration says
 */
export function decodeVae(
  bytes: Uint8Array,
  layoutOf: (config: VaeConfig, data: VaeData) => Layout,
  source = "the saved model",
): StoredVae {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata.format !== FORMAT) {
    throw new DataError(
      `${source} is a safetensors file, but not a model of ours: its format is ${JSON.stringify(metadata.format ?? null)}, ` +
        `"${FORMAT}" was expected. Give the state.safetensors of a run.`,
    );
  }
  const config = parse<VaeConfig>(metadata.config, source);
  const data = parse<VaeData>(metadata.data, source);
  const missing = Object.keys(vaeOptions).find((name) => !(name in config));
  if (missing)
    throw new DataError(`${source} lacks the option "${missing}": it was written by another version of ansatz.`);
  const layout = layoutOf(config, data);
  const parameters = allocate(config.dtype, layout.size);
  for (const { name, shape, offset } of layout.places) {
    const stored = tensors[name];
    if (!stored || stored.shape.join() !== shape.join() || stored.dtype !== config.dtype) {
      const found = stored ? `${stored.dtype} of shape [${stored.shape.join(", ")}]` : "nothing";
      throw new DataError(
        `${source} holds ${found} as "${name}"; ${config.dtype} of shape [${shape.join(", ")}] was expected.`,
      );
    }
    parameters.set(stored.data as never, offset);
  }
  const slots = Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(SLOT))
      .map(([name, { data }]) => [name.slice(SLOT.length), data]),
  );
  const progress = metadata.progress === undefined ? null : parse<Progress>(metadata.progress, source);
  return { config, data, parameters, progress, slots };
}

function parse<T>(text: string | undefined, source: string): T {
  try {
    return JSON.parse(text ?? "") as T;
  } catch {
    throw new DataError(`${source}: its metadata are not sound JSON. Copy it again, or go back to an earlier run.`);
  }
}
