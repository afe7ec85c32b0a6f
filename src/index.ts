// The engine

export type { Backend, NodeReport } from "./backends/backend.ts";
export type { DType, TypedArray } from "./base/dtype.ts";
export * from "./base/errors.ts";
export type { Shape } from "./base/shape.ts";
// Data
export { checkSupport } from "./data/check.ts";
export { type DataSplits, type Dataset, datasetOf, firstRows, selectRows } from "./data/dataset.ts";
export { ACTIVE_VARIANCE, columnVariances } from "./diagnostics/active-units.ts";
// What models are made of
export { bernoulli } from "./nn/outputs/bernoulli.ts";
export { categorical } from "./nn/outputs/categorical.ts";
export { choleskyGaussian } from "./families/cholesky-gaussian.ts";
export { continuousBernoulli } from "./nn/outputs/continuous-bernoulli.ts";
export { diagonalGaussian } from "./families/diagonal-gaussian.ts";
export type { Distribution } from "./nn/outputs/distribution.ts";
export type { GaussianVector } from "./families/gaussian-vector.ts";
export { normal } from "./nn/outputs/normal.ts";
export type { Explanation } from "./engine/explain.ts";
export {
  Buffer,
  defaultRuntime,
  hasRelaxedSimd,
  Runtime,
  type RuntimeOptions,
  type TensorSpec,
} from "./engine/runtime.ts";
export { amortizedFamilies } from "./families/amortized.ts";
export { type AevbProblem, aevb } from "./inference/aevb.ts";
export { type Activation, activations } from "./nn/activation.ts";
export { initialParameters, type Layout, layoutOf, pack, unpack } from "./nn/layout.ts";
export { mlp, type Network } from "./nn/mlp.ts";
export { type LatentModel, sgvb } from "./objectives/sgvb.ts";
// Optimizers, objectives, algorithms
export { adagrad } from "./optimizers/adagrad.ts";
export { adam } from "./optimizers/adam.ts";
export type { Optimizer } from "./optimizers/optimizer.ts";
export { rmsprop } from "./optimizers/rmsprop.ts";
export { sgd } from "./optimizers/sgd.ts";
export {
  f32,
  f64,
  gradient,
  i32,
  Program,
  type ProgramSpec,
  program,
  type UpTo,
  u8,
  u32,
  upTo,
} from "./program/program.ts";
export * from "./tensor/functions.ts";
export {
  bernoulli as drawBernoulli,
  Key,
  normal as drawNormal,
  randomWords,
  uniform as drawUniform,
} from "./tensor/random.ts";
export { Tensor } from "./tensor/tensor.ts";
export type { Encoding } from "./vae/encoding.ts";
// Variational autoencoders
export type { Fit, TrainingSummary, VaeEvent } from "./vae/events.ts";
export type { LogLikelihood } from "./vae/log-likelihood.ts";
export { vaeOptionHelp } from "./vae/option-help.ts";
export { allowedText, type OptionSpec, readOption } from "./vae/option-spec.ts";
export { type VaeConfig, type VaeOptionName, type VaeOptions, vaeOptions } from "./vae/options.ts";
export type { Matrix, RowsInput } from "./vae/rows.ts";
export { type TrainedVae, type TrainingControl, type TrainingInput, trainVae } from "./vae/train.ts";
export { type MeanBound, type Scores, Vae, type VaePlace } from "./vae/vae.ts";
export type { VaeData } from "./vae/vae-file.ts";
