import { DataError } from "../base/errors.ts";
import { checkSupport } from "../data/check.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Buffer, TensorSpec } from "../engine/runtime.ts";
import { dataSpec, type ProgramContext } from "./context.ts";
import { datasetFrom, type RowsInput } from "./rows.ts";
import { standardised } from "./standard.ts";
import type { VaeData } from "./vae-file.ts";

/** Rows in a runtime's memory, and the type of the input that takes them. */
export interface Placed {
  readonly buffer: Buffer;
  readonly spec: TensorSpec;
  readonly count: number;
}

/**
 * Checks rows against a model and puts them into its memory: 8-bit data stay 8-bit, others get the networks' type.
 * A standardised model gets standardised values.
 *
 * @param data  what the model was fitted to
 * @throws      DataError on another width or scale, SupportError on values that the likelihood does not take
 */
export function placeRows(context: ProgramContext, data: VaeData, input: RowsInput): Placed {
  const { config, runtime, width } = context;
  const dataset = datasetFrom(input, "data", data.scale);
  check(context, data, dataset);
  const { standard, scale } = data;
  const dtype = dataset.dtype === "u8" && !standard ? "u8" : config.dtype;
  const buffer = runtime.buffer(dtype, [dataset.count, width]);
  buffer.write(standard ? standardised(standard, dataset) : dataset.values);
  if (config.likelihood !== "categorical")
    toScale(scale, standard ? { ...dataset, dtype: "f64", scale: 1 } : dataset, buffer);
  return { buffer, spec: dataSpec(context, dtype, dataset.count), count: dataset.count };
}

function check({ width, architecture, config }: ProgramContext, data: VaeData, dataset: Dataset): void {
  if (dataset.width !== width) {
    throw new DataError(
      `${dataset.source} has rows of ${dataset.width} values, but the model was fitted to rows of ${width} ` +
        `(shape [${data.eventShape.join(", ")}]). Give data of that width.`,
    );
  }
  const { likelihood, binarize } = config;
  checkSupport(dataset, architecture.likelihood.support, { likelihood, binarize });
}

/** Programs divide stored values by the model's scale: brings values of another scale to it. */
function toScale(scale: number, dataset: Dataset, buffer: Buffer): void {
  const factor = scale / dataset.scale;
  if (factor === 1) return;
  if (dataset.dtype === "u8") {
    throw new DataError(
      `${dataset.source}: its values stand for value / ${dataset.scale}, but the model was fitted to value / ${scale}. ` +
        `Give 8-bit data of scale ${scale}, or natural values as floating-point numbers.`,
    );
  }
  const values = buffer.view();
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
}
