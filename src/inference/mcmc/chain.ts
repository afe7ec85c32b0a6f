import { InternalError, OptionError } from "../../base/errors.ts";
import { Generator, type GeneratorState } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { type HmcOptions, hmc } from "./hmc.ts";
import { initialPoint } from "./initial-point.ts";
import { type HamiltonianKernel, type HamiltonianState, MOST_ROWS, type TransitionRows } from "./kernel.ts";
import { type Metric, metricFrom, type StoredMetric } from "./metric.ts";
import { type NutsOptions, nuts } from "./nuts.ts";
import { WarmUp } from "./warm-up.ts";

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
  /** This chain with fewer draws, made with the same options: it goes on where that one ended, with the bits of one that never stopped. */
  readonly from?: ChainSoFar;
}

/** Where a chain ended: what it needs to go on. Plain data. */
export interface ChainEnd {
  readonly u: Float64Array;
  readonly stepSize: number;
  readonly metric: StoredMetric;
  readonly generator: GeneratorState;
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
  /** Null where later draws were left out. */
  readonly end: ChainEnd | null;
}

/** A chain as data. */
export type ChainSoFar = Omit<ChainResult, "metric">;

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
  return new Chain(logDensity, options);
}

/** A class, so that all chains run the same compiled methods. */
class Chain implements ChainRun {
  done = 0;
  readonly total: number;
  readonly wanted: number;
  divergences = 0;
  private readonly chain: number;
  private readonly dim: number;
  private readonly warmUpLength: number;
  private readonly kernel: HamiltonianKernel;
  private readonly generator: Generator;
  private readonly warmUp: WarmUp;
  private state: HamiltonianState;
  private readonly draws: Float64Array;
  private readonly stats: ChainStats;
  private warmUpLeapfrogs = 0;
  private warmUpDivergences = 0;
  private nonFinite: ChainResult["nonFinite"] = null;
  /** Transitions of the last run, and the milliseconds that each took. */
  private lastRun = 0;
  private each = 0;

  constructor(logDensity: LogDensity, options: ChainOptions) {
    const { seed = 0, chain = 0, warmUp: length = 1000, draws: wanted = 1000 } = options;
    const { targetAcceptance = 0.8, metric = "auto", algorithm = { name: "nuts" }, initial, names, from } = options;
    const { dim } = logDensity;
    this.chain = chain;
    this.dim = dim;
    this.warmUpLength = length;
    this.wanted = wanted;
    this.total = length + wanted;
    this.kernel = algorithm.name === "nuts" ? nuts(logDensity, algorithm) : hmc(logDensity, algorithm);
    this.warmUp = new WarmUp(logDensity, { length, targetAcceptance, metric }, new Generator(seed, "stepSize", chain));
    this.generator = new Generator(seed, "chain", chain);
    this.draws = new Float64Array(wanted * dim);
    this.stats = {
      logDensity: new Float64Array(wanted),
      energy: new Float64Array(wanted),
      stepSize: new Float64Array(wanted),
      acceptance: new Float64Array(wanted),
      depth: new Uint8Array(wanted),
      leapfrogs: new Uint32Array(wanted),
      divergent: new Uint8Array(wanted),
    };
    this.state = from ? this.goOn(from) : this.warmUp.begin(this.kernel.init(initialPoint(logDensity, { seed, chain, initial, names }))); // biome-ignore format: one line
  }

  /** Takes over what was drawn, and stands where that ended. */
  private goOn({
    count,
    draws,
    stats,
    end,
    warmUpLeapfrogs,
    warmUpDivergences,
    nonFinite,
  }: ChainSoFar): HamiltonianState {
    if (!end || count > this.wanted) throw new InternalError("a chain goes on from its end, to more draws");
    this.draws.set(draws);
    for (const name of STATS) this.stats[name].set(stats[name]);
    this.done = this.warmUpLength + count;
    [this.warmUpLeapfrogs, this.warmUpDivergences, this.nonFinite] = [warmUpLeapfrogs, warmUpDivergences, nonFinite];
    this.divergences = warmUpDivergences + sum(stats.divergent);
    this.generator.state = { ...end.generator, words: end.generator.words.slice() };
    return { ...this.kernel.init(end.u), stepSize: end.stepSize, metric: metricFrom(end.metric, this.dim) };
  }

  get count(): number {
    return Math.max(0, this.done - this.warmUpLength);
  }

  advance(deadline: number): boolean {
    let now = performance.now();
    while (this.done < this.total) {
      // As many as the time may be enough for, if they take as long as the last ones; more at a time only step by step.
      const inTime = Math.floor((deadline - now) / this.each) || 1;
      this.lastRun = this.run(Math.max(1, Math.min(inTime, 2 * this.lastRun, MOST_ROWS)));
      const then = performance.now();
      this.each = (then - now) / this.lastRun;
      now = then;
      if (now >= deadline) break;
    }
    return this.done < this.total;
  }

  /** Makes at most so many transitions, and tells how many. */
  private run(most: number): number {
    const { warmUp, state, generator } = this;
    const warming = this.done < this.warmUpLength;
    const left = warming ? warmUp.left : this.total - this.done;
    const run = this.kernel.run(state, generator, Math.min(most, left), warming ? warmUp.adaptation : null);
    const { rows } = run;
    const diverged = sum(rows.divergent);
    this.divergences += diverged;
    if (warming) {
      this.warmUpLeapfrogs += sum(rows.leapfrogs);
      this.warmUpDivergences += diverged;
      this.state = warmUp.after(run);
    } else {
      this.state = run.state;
      this.keep(rows, this.count);
    }
    this.done += rows.count;
    return rows.count;
  }

  private keep(rows: TransitionRows, at: number): void {
    const { draws, stats, dim } = this;
    draws.set(rows.u, at * dim);
    for (const name of STATS) stats[name].set(rows[name], at);
    if (rows.nonFinite) this.nonFinite ??= { draw: at + rows.nonFinite.row, at: rows.nonFinite.at };
  }

  result(count = this.count): ChainResult {
    const { chain, dim, draws, stats, warmUpLeapfrogs, warmUpDivergences, nonFinite } = this;
    const { u, metric, stepSize } = this.state;
    const generator = { ...this.generator.state, words: this.generator.state.words.slice() };
    const end = { u, stepSize, metric: { kind: metric.kind, inverseMass: metric.inverseMass }, generator };
    const made = this.count;
    const all = { chain, dim, count: made, draws, stats, metric, stepSize, warmUpLeapfrogs, warmUpDivergences, nonFinite, end }; // biome-ignore format: one line
    return firstDraws(all, count);
  }
}

const STATS = ["logDensity", "energy", "stepSize", "acceptance", "depth", "leapfrogs", "divergent"] as const;

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

/** The result with its first `count` draws alone, copied. */
export function firstDraws(result: ChainResult, count: number): ChainResult {
  const { draws, dim, stats, end } = result;
  return {
    ...result,
    count,
    end: count === result.count ? end : null,
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
