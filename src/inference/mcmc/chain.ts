import { OptionError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { type HmcOptions, hmc } from "./hmc.ts";
import { initialPoint } from "./initial-point.ts";
import type { HamiltonianKernel, HamiltonianState } from "./kernel.ts";
import type { Metric } from "./metric.ts";
import { type NutsOptions, nuts } from "./nuts.ts";
import { warmUp } from "./warm-up.ts";

/** How a chain samples. Plain data, so that it can be sent to another thread. */
export interface ChainOptions {
  /** An integer from 0 to 2⁵³ − 1. Default 0. */
  readonly seed?: number;
  /** Which chain this is, from 0: chains of one seed are independent. Default 0. */
  readonly chain?: number;
  /** Transitions that adapt and are not kept. Default 1000. */
  readonly warmUp?: number;
  /** Draws that are kept. Default 1000. */
  readonly draws?: number;
  /** Acceptance probability that the step size is adapted to. Nearer to 1 means shorter steps. Default 0.8. */
  readonly targetAcceptance?: number;
  /** The mass matrix. Default "auto": diagonal, dense where the warm-up shows correlations that make it worth it. */
  readonly metric?: "auto" | "diagonal" | "dense";
  /** Default: NUTS. */
  readonly algorithm?: ({ readonly name: "nuts" } & NutsOptions) | ({ readonly name: "hmc" } & HmcOptions);
  /** Unconstrained coordinates to start from, [dim]. Default: uniform on (−2, 2), tried until finite. */
  readonly initial?: ArrayLike<number>;
  /** Names of the coordinates, for messages. */
  readonly names?: readonly string[];
}

/** Per draw, [draws]. */
export interface ChainStats {
  readonly logDensity: Float64Array;
  readonly energy: Float64Array;
  readonly stepSize: Float64Array;
  readonly acceptance: Float64Array;
  readonly depth: Uint8Array;
  readonly leapfrogs: Uint32Array;
  /** 0 or 1. */
  readonly divergent: Uint8Array;
}

export interface ChainResult {
  readonly chain: number;
  readonly dim: number;
  /** Draws that were made: fewer than asked for when the run was aborted. */
  readonly count: number;
  /** Unconstrained, [count, dim]. */
  readonly draws: Float64Array;
  readonly stats: ChainStats;
  /** What the draws were made with. */
  readonly metric: Metric;
  readonly stepSize: number;
  /** Of the warm-up: gradients, and divergent transitions. */
  readonly warmUpLeapfrogs: number;
  readonly warmUpDivergences: number;
  /** The first place, after the warm-up, where the log density was not finite, and in making which draw; null where there was none. */
  readonly nonFinite: { readonly draw: number; readonly at: Float64Array } | null;
}

/** A chain on its way: synchronous, in slices. */
export interface ChainRun {
  /** Transitions done, warm-up included, and in all. */
  readonly done: number;
  readonly total: number;
  /** Draws asked for, and kept so far. */
  readonly wanted: number;
  readonly count: number;
  readonly divergences: number;
  /** Makes transitions until the clock shows `deadline` (as performance.now does), at least one; false when the chain is complete. */
  advance(deadline: number): boolean;
  /** The first `count` draws. */
  result(count?: number): ChainResult;
}

const wholeNumber = (name: string, value: number, least: number): void => {
  if (!Number.isInteger(value) || value < least)
    throw new OptionError(`${name} is a whole number, ${least} or more, not ${value}`);
};

function checkOptions(options: ChainOptions): void {
  wholeNumber("warmUp", options.warmUp ?? 0, 0);
  wholeNumber("draws", options.draws ?? 1, 1);
  const { targetAcceptance = 0.8, metric = "auto", algorithm } = options;
  if (!(targetAcceptance > 0 && targetAcceptance < 1))
    throw new OptionError(`targetAcceptance lies between 0 and 1, the ends excluded; it was ${targetAcceptance}`);
  if (!["auto", "diagonal", "dense"].includes(metric))
    throw new OptionError(`metric is "auto", "diagonal" or "dense", not "${metric}"`);
  if (algorithm && algorithm.name !== "nuts" && algorithm.name !== "hmc")
    throw new OptionError(`algorithm is "nuts" or "hmc", not "${(algorithm as { name: string }).name}"`);
  if (algorithm?.name === "nuts") wholeNumber("maxDepth", algorithm.maxDepth ?? 10, 1);
}

/**
 * Starts a chain: initial point, then warm-up and draws as `advance` is called. Its bits depend on the options and the density
 * alone, not on how it is sliced nor on other chains.
 *
 * @throws OptionError, and NonFiniteError when there is no point to start from
 */
export function startChain(logDensity: LogDensity, options: ChainOptions = {}): ChainRun {
  checkOptions(options);
  const { seed = 0, chain = 0, warmUp: warmUpLength = 1000, draws: wanted = 1000 } = options;
  const { dim } = logDensity;
  const algorithm = options.algorithm ?? { name: "nuts" };
  const kernel: HamiltonianKernel =
    algorithm.name === "nuts" ? nuts(logDensity, algorithm) : hmc(logDensity, algorithm);
  const adaptation = warmUp(
    logDensity,
    {
      length: warmUpLength,
      targetAcceptance: options.targetAcceptance ?? 0.8,
      metric: options.metric ?? "auto",
    },
    new Generator(seed, "stepSize", chain),
  );
  const generator = new Generator(seed, "chain", chain);
  let state: HamiltonianState = kernel.init(
    initialPoint(logDensity, { seed, chain, initial: options.initial, names: options.names }),
  );
  state = adaptation.begin(state);
  const draws = new Float64Array(wanted * dim);
  const stats = {
    logDensity: new Float64Array(wanted),
    energy: new Float64Array(wanted),
    stepSize: new Float64Array(wanted),
    acceptance: new Float64Array(wanted),
    depth: new Uint8Array(wanted),
    leapfrogs: new Uint32Array(wanted),
    divergent: new Uint8Array(wanted),
  };
  let done = 0;
  let warmUpLeapfrogs = 0;
  let warmUpDivergences = 0;
  let divergences = 0;
  let nonFinite: ChainResult["nonFinite"] = null;
  const transition = (): void => {
    const { stepSize } = state;
    const [next, info] = kernel.step(state, generator);
    if (info.divergent) divergences++;
    if (done < warmUpLength) {
      warmUpLeapfrogs += info.leapfrogs;
      if (info.divergent) warmUpDivergences++;
      state = adaptation.update(next, info);
    } else {
      const at = done - warmUpLength;
      state = next;
      for (let i = 0; i < dim; i++) draws[at * dim + i] = next.u[i]!;
      stats.logDensity[at] = next.logDensity;
      stats.energy[at] = info.energy;
      stats.stepSize[at] = stepSize;
      stats.acceptance[at] = info.acceptance;
      stats.depth[at] = info.depth;
      stats.leapfrogs[at] = info.leapfrogs;
      stats.divergent[at] = info.divergent ? 1 : 0;
      if (info.nonFinite) nonFinite ??= { draw: at, at: info.nonFinite };
    }
    done++;
  };
  const total = warmUpLength + wanted;
  const kept = () => Math.max(0, done - warmUpLength);
  return {
    get done() {
      return done;
    },
    total,
    wanted,
    get count() {
      return kept();
    },
    get divergences() {
      return divergences;
    },
    advance: (deadline) => {
      while (done < total) {
        transition();
        if (performance.now() >= deadline) break;
      }
      return done < total;
    },
    result: (count = kept()) =>
      firstDraws(
        {
          chain,
          dim,
          count,
          draws,
          stats,
          metric: state.metric,
          stepSize: state.stepSize,
          warmUpLeapfrogs,
          warmUpDivergences,
          nonFinite,
        },
        count,
      ),
  };
}

/** The result with its first `count` draws alone, copied. */
export function firstDraws(result: ChainResult, count: number): ChainResult {
  const { draws, dim, stats } = result;
  return {
    ...result,
    count,
    draws: draws.slice(0, count * dim),
    stats: {
      logDensity: stats.logDensity.slice(0, count),
      energy: stats.energy.slice(0, count),
      stepSize: stats.stepSize.slice(0, count),
      acceptance: stats.acceptance.slice(0, count),
      depth: stats.depth.slice(0, count),
      leapfrogs: stats.leapfrogs.slice(0, count),
      divergent: stats.divergent.slice(0, count),
    },
  };
}

/** How far a chain is: sent after every slice of about 50 ms, and at its end. */
export interface ChainProgress {
  readonly kind: "chain";
  readonly chain: number;
  /** Transitions done and in all, warm-up included. */
  readonly done: number;
  readonly total: number;
  readonly warmingUp: boolean;
  readonly divergences: number;
}

export const progressOf = (chain: number, run: ChainRun): ChainProgress => ({
  kind: "chain",
  chain,
  done: run.done,
  total: run.total,
  warmingUp: run.count === 0 && run.done < run.total,
  divergences: run.divergences,
});
