import type { TensorSpec } from "../engine/runtime.ts";
import { boundMeans } from "../inference/aevb.ts";
import { latentNoise } from "../inference/latent-noise.ts";
import { minibatchAt } from "../inference/minibatch.ts";
import { unpack } from "../nn/layout.ts";
import { logWeights, repeatRows } from "../objectives/sgvb.ts";
import { f64, program, u32 } from "../program/program.ts";
import { iota, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aevbProblem } from "./architecture.ts";
import { CHUNK, floats, IMPORTANCE, type ProgramContext, parameterSpec } from "./context.ts";
import { observed } from "./observation.ts";

export { encodingOf } from "./encoding.ts";
export { logLikelihoodOf } from "./log-likelihood.ts";

const shared = ({ runtime, backend, config }: ProgramContext) => ({
  runtime,
  backend,
  deterministic: config.deterministic,
});

/** `size` consecutive row numbers; those beyond the last are the last. */
const rowsFrom = (start: Tensor, count: Tensor, size: number): Tensor => minibatchAt(start, count, size, null).rows;

/** The bound of `CHUNK` rows from `position`, which moves on: the means of many chunks in one call, or each row's terms. */
export const boundProgram = (c: ProgramContext, data: TensorSpec, draws: number) =>
  program({
    ...shared(c),
    state: { position: u32([]) },
    inputs: { parameters: parameterSpec(c), data, pass: u32([]) },
    body: ({ state, inputs, rng, count }) => {
      const n = count("data");
      const batch = minibatchAt(state.position, n, CHUNK, null);
      const problem = aevbProblem(c.architecture, { ...c.config, draws }, c.observation, inputs.data, n);
      const named = unpack(inputs.parameters, c.architecture.layout);
      const terms = problem.bound(named, batch.rows, rng.site("evaluation").fold(inputs.pass));
      const means = boundMeans(terms, batch);
      return {
        state: { position: state.position.add(CHUNK) },
        outputs: { ...means, rates: terms.rate, distortions: terms.distortion },
      };
    },
  });

/** Parameters of q(z given x), the sd of each dimension, and the decoded mean. */
export const encodeProgram = (c: ProgramContext, data: TensorSpec) =>
  program({
    ...shared(c),
    inputs: { parameters: parameterSpec(c), data, start: u32([]) },
    body: ({ inputs, count }) => {
      const named = unpack(inputs.parameters, c.architecture.layout);
      const x = observed(c.observation, inputs.data, rowsFrom(inputs.start, count("data"), CHUNK), null);
      const heads = c.architecture.encode(named, x);
      return { outputs: { ...heads, sd: c.architecture.family.sd(heads) } as Readonly<Record<string, Tensor>> };
    },
  });

export const decodeProgram = (c: ProgramContext) =>
  program({
    ...shared(c),
    inputs: { parameters: parameterSpec(c), z: floats(c, [CHUNK, c.config.latent]) },
    body: ({ inputs }) => {
      const named = unpack(inputs.parameters, c.architecture.layout);
      return { outputs: { x: c.architecture.likelihood.mean(c.architecture.decode(named, inputs.z), named) } };
    },
  });

/** Draws of z from the prior, with the decoder's mean and a draw of x. */
export const sampleProgram = (c: ProgramContext) =>
  program({
    ...shared(c),
    inputs: { parameters: parameterSpec(c), start: u32([]) },
    body: ({ inputs, rng }) => {
      const { prior, likelihood, decode, layout } = c.architecture;
      const named = unpack(inputs.parameters, layout);
      const rows = iota(inputs.start, [CHUNK], 0).add(inputs.start);
      const z = prior.sample(rng.site("prior"), rows, named, c.config.dtype);
      const heads = decode(named, z);
      const draw = likelihood.sample(rng.site("likelihood"), heads, named, rows);
      return { outputs: { z, mean: likelihood.mean(heads, named), draw } };
    },
  });

/** What importance sampling needs of each example, once: the observation and the parameters of its posterior. */
export const importanceEncodeProgram = (c: ProgramContext, data: TensorSpec) =>
  program({
    ...shared(c),
    inputs: { parameters: parameterSpec(c), data, start: u32([]) },
    body: ({ inputs, rng, count }) => {
      const named = unpack(inputs.parameters, c.architecture.layout);
      const rows = rowsFrom(inputs.start, count("data"), IMPORTANCE.examples);
      const x = observed(c.observation, inputs.data, rows, rng.site("binarize"));
      return { outputs: { ...c.architecture.encode(named, x), x, rows } as Readonly<Record<string, Tensor>> };
    },
  });

/**
 * `IMPORTANCE.draws` more draws for each example: Σ w and Σ w² relative to the greatest log w so far, so that memory does not
 * grow with the number of draws (streaming logsumexp).
 */
export const importanceProgram = (c: ProgramContext) => {
  const { examples, draws } = IMPORTANCE;
  const { family, layout } = c.architecture;
  const heads = Object.fromEntries(Object.entries(family.sizes).map(([name, size]) => [name, floats(c, [examples, size])])); // biome-ignore format: short
  return program({
    ...shared(c),
    state: { chunk: u32([]), top: f64([examples]), total: f64([examples]), squares: f64([examples]) },
    inputs: {
      ...heads,
      parameters: parameterSpec(c),
      x: floats(c, [examples, c.width]),
      rows: u32([examples]),
      samples: u32([]),
    },
    body: ({ state, inputs, rng }) => {
      const named = unpack(inputs.parameters, layout);
      const posterior = Object.fromEntries(
        Object.keys(heads).map((name) => [name, repeatRows((inputs as Record<string, Tensor>)[name]!, draws)]),
      );
      const noise = latentNoise(
        rng.site("importance").fold(state.chunk),
        inputs.rows,
        draws,
        c.config.latent,
        c.config.dtype,
      );
      const all = logWeights(family, posterior, noise, c.architecture.model(named, inputs.x, draws));
      const draw = iota(state.chunk, [draws, examples], 0).add(state.chunk.mul(draws));
      const logW = where(draw.lt(inputs.samples), all.cast("f64").reshape([draws, examples]), -Infinity);
      const top = logW.max(0).maximum(state.top);
      const shift = where(top.gt(-Infinity), top, 0);
      const w = logW.sub(shift).exp();
      const kept = state.top.sub(shift).exp();
      return {
        state: {
          chunk: state.chunk.add(1),
          top,
          total: state.total.mul(kept).add(w.sum(0)),
          squares: state.squares.mul(kept.square()).add(w.square().sum(0)),
        },
      };
    },
  });
};
