// The engine

export type { Backend, NodeReport } from "./backends/backend.ts";
export type { DType, TypedArray } from "./base/dtype.ts";
export * from "./base/errors.ts";
export type { Shape } from "./base/shape.ts";
export { bijectorTo } from "./constraints/bijector.ts";
export * from "./constraints/support.ts";
// Data
export { checkSupport } from "./data/check.ts";
export { type DataSplits, type Dataset, datasetOf, firstRows, selectRows } from "./data/dataset.ts";
export { ACTIVE_VARIANCE, columnVariances } from "./diagnostics/active-units.ts";
export { ebfmi } from "./diagnostics/energy.ts";
export { essBulk, essTail } from "./diagnostics/ess.ts";
export { mcseMean, mcseSd } from "./diagnostics/mcse.ts";
export { type Loo, loo, type Waic, waic } from "./diagnostics/predictive-accuracy.ts";
export { importanceEss, khatOfExpectation, khatThreshold, psis } from "./diagnostics/psis.ts";
export { rhat } from "./diagnostics/rhat.ts";
export { bernoulli } from "./distributions/bernoulli.ts";
export { beta } from "./distributions/beta.ts";
export { betaBinomial } from "./distributions/beta-binomial.ts";
export { binomial } from "./distributions/binomial.ts";
export { categorical } from "./distributions/categorical.ts";
export { cauchy } from "./distributions/cauchy.ts";
export { censored } from "./distributions/censored.ts";
export { chiSquared } from "./distributions/chi-squared.ts";
export { dirichlet } from "./distributions/dirichlet.ts";
export { dirichletMultinomial } from "./distributions/dirichlet-multinomial.ts";
export { discreteUniform } from "./distributions/discrete-uniform.ts";
export { type Distribution, distribution, type Family, type ParamValue } from "./distributions/distribution.ts";
export { exponential } from "./distributions/exponential.ts";
export { flat } from "./distributions/flat.ts";
export { gamma } from "./distributions/gamma.ts";
export { geometric } from "./distributions/geometric.ts";
export { halfCauchy } from "./distributions/half-cauchy.ts";
export { halfNormal } from "./distributions/half-normal.ts";
export { halfStudentT } from "./distributions/half-student-t.ts";
export { inverseGamma } from "./distributions/inverse-gamma.ts";
export { inverseWishart } from "./distributions/inverse-wishart.ts";
export { laplace } from "./distributions/laplace.ts";
export { lkjCholesky } from "./distributions/lkj-cholesky.ts";
export { logNormal } from "./distributions/log-normal.ts";
export { logCdf, logProb, logSurvival } from "./distributions/log-prob.ts";
export { logistic } from "./distributions/logistic.ts";
export { mixture } from "./distributions/mixture.ts";
export { multinomial } from "./distributions/multinomial.ts";
export { multivariateNormal } from "./distributions/multivariate-normal.ts";
export { multivariateStudentT } from "./distributions/multivariate-student-t.ts";
export { negativeBinomial } from "./distributions/negative-binomial.ts";
export { normal } from "./distributions/normal.ts";
export { orderedLogistic } from "./distributions/ordered-logistic.ts";
export { pareto } from "./distributions/pareto.ts";
export { poisson } from "./distributions/poisson.ts";
export { restricted } from "./distributions/restricted.ts";
export { studentT } from "./distributions/student-t.ts";
export { transformed } from "./distributions/transformed.ts";
export { truncated } from "./distributions/truncated.ts";
export { uniform } from "./distributions/uniform.ts";
export { vonMises } from "./distributions/von-mises.ts";
export { weibull } from "./distributions/weibull.ts";
export { wishart } from "./distributions/wishart.ts";
export { zeroInflated } from "./distributions/zero-inflated.ts";
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
export { autoregressiveFlow } from "./families/autoregressive-flow.ts";
export { blockGaussian } from "./families/block-gaussian.ts";
// Networks and Gaussian vectors
export { choleskyGaussian } from "./families/cholesky-gaussian.ts";
export { couplingFlow } from "./families/coupling-flow.ts";
export { diagonalGaussian } from "./families/diagonal-gaussian.ts";
export { fullRank } from "./families/full-rank.ts";
export { gaussianMixture } from "./families/gaussian-mixture.ts";
export type { GaussianVector } from "./families/gaussian-vector.ts";
export { lowRank } from "./families/low-rank.ts";
export { meanField } from "./families/mean-field.ts";
export type { VariationalFamily } from "./families/variational-family.ts";
export { type AevbProblem, aevb } from "./inference/aevb.ts";
export { type AmortizationGap, amortizationGap } from "./inference/amortization-gap.ts";
export { type AmortizeEvent, type AmortizeOptions, amortize } from "./inference/amortize.ts";
export type { AmortizedFit } from "./inference/amortized-fit.ts";
export { type CaviFit, type CaviOptions, cavi } from "./inference/cavi/cavi.ts";
export { loadFit, type StoredFit, type SviProgress } from "./inference/cavi/stored-fit.ts";
export type { Attempt } from "./inference/certificate.ts";
export { compileLogDensity } from "./inference/compile.ts";
export type { StateProbabilities } from "./inference/discrete-posterior.ts";
export { type EpResult, ep } from "./inference/ep/ep.ts";
export { type Estimate, type EstimateOptions, estimate } from "./inference/estimate.ts";
export { type EstimatorVarianceRow, estimatorVariance } from "./inference/estimator-variance.ts";
export { type Evidence, logEvidence, naiveLogEvidence } from "./inference/evidence.ts";
export { type InferenceEvent, type InferOptions, type Method, methods } from "./inference/fit.ts";
export { fixedDraws } from "./inference/fixed-draws.ts";
// Inference
export { infer } from "./inference/infer.ts";
export { laplace as laplaceApproximation } from "./inference/laplace.ts";
export { linearResponse } from "./inference/linear-response.ts";
export type { LogDensity } from "./inference/log-density.ts";
export { sampleChains } from "./inference/mcmc/chains.ts";
export { sampleSgld } from "./inference/mcmc/sgld.ts";
export { multiPathfinder, pathfinder } from "./inference/pathfinder.ts";
export { Posterior } from "./inference/posterior.ts";
export { type LoadedPosterior, loadPosterior } from "./inference/posterior-files.ts";
export { type PredictiveOptions, priorPredictive } from "./inference/predictive.ts";
export { type Problem, problemOf } from "./inference/problem.ts";
export { type SgldFit, sgldFit } from "./inference/sgld-fit.ts";
export { type SiteViFit, type SiteViOptions, siteVi } from "./inference/site-vi.ts";
export { type StochasticViOptions, stochasticVi } from "./inference/stochastic-vi.ts";
export { compareSupports, type SupportRelation } from "./inference/supports.ts";
export { type Combined, type CombineOptions, combine } from "./inference/svi/combine.ts";
export type { SviOptions, SviStep } from "./inference/svi/options.ts";
export { type SviFit, svi } from "./inference/svi/svi.ts";
export type { Target } from "./inference/target.ts";
export type { Context, ParamOptions, PlateOptions } from "./model/context.ts";
export type { DataFor, Numbers } from "./model/data.ts";
// Models
export { condition, intervene, type Model, model, type Returned } from "./model/model.ts";
export { type Activation, activations } from "./nn/activation.ts";
export { initialParameters, type Layout, layoutOf, pack, unpack } from "./nn/layout.ts";
export { mlp, type Network } from "./nn/mlp.ts";
export { elbo } from "./objectives/elbo.ts";
export { forwardKl } from "./objectives/forward-kl.ts";
export { importanceWeighted, renyi } from "./objectives/renyi.ts";
export { type LatentModel, sgvb } from "./objectives/sgvb.ts";
export type { GradientEstimator, VariationalObjective } from "./objectives/variational-objective.ts";
export { odeAdaptive } from "./ode/adaptive.ts";
export { odeFixed } from "./ode/fixed.ts";
// Optimizers, objectives, algorithms
export { adagrad } from "./optimizers/adagrad.ts";
export { adam } from "./optimizers/adam.ts";
export type { Optimizer } from "./optimizers/optimizer.ts";
export { rmsprop } from "./optimizers/rmsprop.ts";
export { sgd } from "./optimizers/sgd.ts";
export type { Draws, SiteDraws } from "./posterior/draws.ts";
export type { SummaryRow } from "./posterior/summary.ts";
export { zipFiles } from "./posterior/zip.ts";
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
  cholesky,
  choleskySolve,
  cumsum,
  diagonal,
  diagonalMatrix,
  dot,
  identity,
  inverseFromCholesky,
  logDetCholesky,
  matvec,
  outer,
  symmetrize,
  triangularSolve,
  triangularSolveVector,
  tril,
} from "./tensor/linalg.ts";
export {
  bernoulli as drawBernoulli,
  Key,
  normal as drawNormal,
  randomWords,
  uniform as drawUniform,
} from "./tensor/random.ts";
export { scan, whileLoop } from "./tensor/scan.ts";
export { stickBreaking } from "./tensor/stick-breaking.ts";
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
