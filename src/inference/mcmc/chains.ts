import { OptionError } from "../../base/errors.ts";
import { hostTurn } from "../../base/host-turn.ts";
import type { LogDensity } from "../log-density.ts";
import {
  type ChainOptions,
  type ChainProgress,
  type ChainResult,
  type ChainRun,
  type ChainSoFar,
  firstDraws,
  progressOf,
  startChain,
} from "./chain.ts";

export type { ChainProgress } from "./chain.ts";

export interface DriverOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: ChainProgress) => void;
  /** An aborted run still returns its draws when each chain has at least so many. Default 100. */
  readonly enough?: number;
  /**
   * Threads that run chains (Node). 1 keeps them on this one; more start at once. Default: for runs that take longer than about a
   * second, as many as the runtime uses.
   */
  readonly threads?: number;
}

export interface SampleChainsOptions extends Omit<ChainOptions, "chain" | "initial" | "from"> {
  /** Default 4. */
  readonly chains?: number;
  /** Unconstrained initial values of each chain, [chains][dim]; or of all of them, [dim]. */
  readonly initial?: ArrayLike<number> | readonly ArrayLike<number>[];
  /** These chains with fewer draws, made with the same options: they go on where those ended. */
  readonly from?: readonly ChainResult[];
}

export interface ChainsResult {
  readonly chains: readonly ChainResult[];
  /** Draws of each chain. */
  readonly count: number;
  /** Whether the signal ended the run before all draws were made. */
  readonly aborted: boolean;
}

const SLICE_MS = 50;

/**
 * Advances the runs in turn, slice by slice, so that they end together and an abort finds equal numbers of draws. Between rounds
 * `handOver` may take them over.
 */
async function drive(
  runs: readonly ChainRun[],
  first: number,
  driver: DriverOptions,
  handOver: () => Promise<readonly ChainResult[] | null> = async () => null,
): Promise<ChainsResult> {
  const { signal, onProgress, enough = 100 } = driver;
  let going = runs.map((run, i) => ({ run, chain: first + i }));
  let results: readonly ChainResult[] | null = null;
  while (going.length > 0 && !results && !signal?.aborted) {
    const next: typeof going = [];
    for (const entry of going) {
      if (signal?.aborted) break;
      if (entry.run.advance(performance.now() + SLICE_MS)) next.push(entry);
      onProgress?.(progressOf(entry.chain, entry.run));
      await hostTurn();
    }
    going = next;
    if (going.length > 0 && !signal?.aborted) results = await handOver();
  }
  const here = Math.min(...runs.map((run) => run.count));
  // An abort may find less with those who took over, who began anew, than was done before.
  if (!results || results.some((result) => result.count < here)) results = runs.map((run) => run.result());
  const count = Math.min(...results.map((result) => result.count));
  const aborted = count < runs[0]!.wanted;
  if (aborted && count < enough) signal!.throwIfAborted();
  return { chains: results.map((result) => firstDraws(result, count)), count, aborted };
}

/**
 * One chain of NUTS or HMC. Yields to the host about every 50 ms.
 *
 * @returns the draws; fewer than asked for when the signal came after `enough` of them
 * @throws OptionError, NonFiniteError, and the signal's reason when it came too early
 */
export async function sampleChain(
  logDensity: LogDensity,
  options: ChainOptions = {},
  driver: DriverOptions = {},
): Promise<ChainResult> {
  await logDensity.prepareMotion?.();
  const { chains } = await drive([startChain(logDensity, options)], options.chain ?? 0, driver);
  return chains[0]!;
}

const isNested = (initial: ArrayLike<number> | readonly ArrayLike<number>[]): initial is readonly ArrayLike<number>[] =>
  initial.length > 0 && typeof initial[0] !== "number";

const withoutMetric = ({ metric: _, ...rest }: ChainResult): ChainSoFar => rest;

/** The options of each chain. Chain i's draws do not depend on how many chains there are. */
export function chainOptions(options: SampleChainsOptions): ChainOptions[] {
  const { chains = 4, initial, from, ...rest } = options;
  if (!Number.isInteger(chains) || chains < 1)
    throw new OptionError(`chains is a whole number, 1 or more, not ${chains}`);
  if (initial && isNested(initial) && initial.length !== chains)
    throw new OptionError(`initial has values for ${initial.length} chains; there are ${chains}`);
  return Array.from({ length: chains }, (_, chain) => ({
    ...rest,
    chain,
    initial: initial && isNested(initial) ? initial[chain] : initial,
    from: from?.[chain] && withoutMetric(from[chain]),
  }));
}

/** Below this many milliseconds in all, starting threads is not worth it. */
const WORTH_THREADS = 1000;

/**
 * Several chains of NUTS or HMC. A run that shows itself to be long goes on in threads of their own (Node), where its density allows
 * that; the draws do not depend on it, nor does chain i depend on how many there are.
 *
 * @returns as many draws of each chain; fewer than asked for when the signal came after `enough` of each
 * @throws OptionError, NonFiniteError, and the signal's reason when it came too early
 */
export async function sampleChains(
  logDensity: LogDensity,
  options: SampleChainsOptions = {},
  driver: DriverOptions = {},
): Promise<ChainsResult> {
  const each = chainOptions(options);
  await logDensity.prepareMotion?.();
  const started = performance.now();
  const runs = each.map((chain) => startChain(logDensity, chain));
  let asked = each.length === 1 || driver.threads === 1;
  /** When the last round ended, and what was done then. */
  let before: { readonly elapsed: number; readonly done: number } | null = null;
  const handOver = async (): Promise<readonly ChainResult[] | null> => {
    if (asked) return null;
    const elapsed = performance.now() - started;
    const done = runs.reduce((sum, run) => sum + run.done / run.total, 0) / runs.length;
    if (driver.threads === undefined) {
      // The first round is much slower than those that follow, as its code is not yet optimised: it tells nothing of them.
      const rest = before ? ((1 - done) * (elapsed - before.elapsed)) / (done - before.done) : 0;
      before = { elapsed, done };
      if (!(rest >= WORTH_THREADS)) return null;
    }
    asked = true;
    const density = logDensity.portable?.();
    const threads = driver.threads ?? (await import("ansatz/blas")).defaultThreads();
    if (!density || threads < 2) return null;
    const { chainsOnThreads } = await import("./chain-threads.ts");
    const { signal } = driver;
    // They begin anew; what was told already is not told again.
    const onProgress = (event: ChainProgress): void => {
      if (event.done > runs[event.chain]!.done) driver.onProgress?.(event);
    };
    return chainsOnThreads(density, each, { signal, onProgress, threads });
  };
  return drive(runs, 0, driver, handOver);
}
