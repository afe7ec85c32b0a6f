import type { TypedArray } from "../base/dtype.ts";
import type { Dataset } from "../data/dataset.ts";
import { boundGradient } from "../inference/aevb.ts";
import { latentNoise } from "../inference/latent-noise.ts";
import { parameterAt, unpack } from "../nn/layout.ts";
import { repeatRows } from "../objectives/sgvb.ts";
import { program, u32, upTo } from "../program/program.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { dataSpec, parameterSpec } from "./context.ts";
import type { RunningFit, Snapshot } from "./fit.ts";
import { trainingBatch } from "./fit-programs.ts";
import { observed } from "./observation.ts";

/** One step again, with everything on the way kept: encoder and decoder outputs, both terms, the gradient. */
function diagnosisProgram(fit: RunningFit) {
  const c = fit.vae.context;
  const data = dataSpec(c, fit.data.dtype, fit.count);
  return program({
    runtime: c.runtime,
    backend: c.backend,
    deterministic: c.config.deterministic,
    inputs: { parameters: parameterSpec(c), data, order: u32([upTo(data.shape[0]!)]), step: u32([]) },
    body: ({ inputs, rng, count }) => {
      const { config, architecture } = c;
      const { problem, minibatch } = trainingBatch(c, inputs.data, count("data"), inputs.order, inputs.step, fit.batch);
      const key = rng.site("train").fold(inputs.step);
      const { terms, gradient } = boundGradient(problem, inputs.parameters, minibatch, key);
      const named = unpack(inputs.parameters, architecture.layout);
      const x = observed(c.observation, inputs.data, minibatch.rows, key.site("binarize"));
      const posterior = architecture.encode(named, x);
      const noise = latentNoise(key.site("noise"), minibatch.rows, config.draws, config.latent, config.dtype);
      const repeated = Object.fromEntries(
        Object.entries(posterior).map(([name, h]) => [name, repeatRows(h, config.draws)]),
      );
      const decoded = architecture.decode(named, architecture.family.draw(repeated, noise));
      const prefixed = (prefix: string, heads: Readonly<Record<string, Tensor>>) =>
        Object.fromEntries(Object.entries(heads).map(([name, h]) => [`${prefix} ${name}`, h]));
      return {
        outputs: {
          rows: minibatch.rows,
          ...prefixed("encoder", posterior),
          rate: terms.rate,
          ...prefixed("decoder", decoded),
          distortion: terms.distortion,
          gradient,
        } as Readonly<Record<string, Tensor>>,
      };
    },
  });
}

const firstBad = (values: TypedArray): number => values.findIndex((x: number) => !Number.isFinite(x));

/**
 * Finds out where a bound stopped being finite, and leaves the fit in its last good state: that before the step at fault.
 *
 * @param good  a state before it
 * @param bad   number of the step whose bound was not finite, or that found a parameter that was not
 */
export async function explainNonFinite(fit: RunningFit, good: Snapshot, bad: number, train: Dataset): Promise<string> {
  const before = async (step: number) => {
    fit.restore(good);
    if (step > good.progress.step) await fit.run(step - good.progress.step);
  };
  // Parameters that are not finite were made by the step before.
  let step = bad;
  await before(step);
  let madeBy = firstBad(fit.vae.parameters.view());
  while (madeBy >= 0 && step > good.progress.step) {
    await before(--step);
    if (firstBad(fit.vae.parameters.view()) < 0) break;
    madeBy = firstBad(fit.vae.parameters.view());
  }
  const diagnosis = await diagnosisProgram(fit);
  const { seed } = fit.vae.config;
  await diagnosis.run({ parameters: fit.vae.parameters, data: fit.data, order: fit.order, step }, 1, { seed });
  const values = Object.fromEntries(Object.entries(diagnosis.outputs).map(([name, buffer]) => [name, buffer.read()]));
  return `${place(fit, values, step, madeBy, train)} ${ADVICE}`;
}

const ADVICE =
  "Training stopped, and the parameters from before that step are kept. Try a smaller lr, clip norm:10, or warmup; " +
  "a Gaussian likelihood also needs data of moderate scale (standardize columns or common).";

function place(
  fit: RunningFit,
  values: Record<string, TypedArray>,
  step: number,
  madeBy: number,
  train: Dataset,
): string {
  const where = `at step ${step} (epoch ${Math.floor(step / fit.perEpoch) + 1})`;
  const rows = values.rows!;
  for (const [name, array] of Object.entries(values)) {
    const at = name === "rows" ? -1 : firstBad(array);
    if (at < 0) continue;
    const found = String(array[at]);
    if (name === "gradient")
      return `The gradient became ${found} ${where}, first in ${parameterAt(fit.vae.context.architecture.layout, at)}.`;
    const width = array.length / rows.length;
    const row = rows[Math.floor(at / Math.max(1, width)) % rows.length]!;
    const example = `row ${train.sourceRows?.[row] ?? row} of ${train.source} (counted from 0)`;
    if (name === "rate")
      return `The bound's rate, KL(q(z given x) from p(z)), became ${found} ${where}, first for ${example}.`;
    if (name === "distortion")
      return `The bound's distortion, −log p(x given z), became ${found} ${where}, first for ${example}.`;
    const [network, head] = name.split(" ");
    return `The ${network}'s output ${head}[${at % width}] became ${found} ${where}, first for ${example}.`;
  }
  if (madeBy >= 0)
    return `The update made ${parameterAt(fit.vae.context.architecture.layout, madeBy)} infinite or NaN ${where}.`;
  return `The bound was not finite ${where}, but is finite when that step is repeated: the arithmetic is not reproducible here.`;
}
