import { OptionError } from "../../base/errors.ts";
import { hostTurn } from "../../base/host-turn.ts";
import type { LogDensity } from "../log-density.ts";
import { type ChainOptions, type ChainResult, type ChainRun, startChain } from "./chain.ts";

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

export interface DriverOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: ChainProgress) => void;
  /** An aborted run still returns its draws when each chain has at least so many. Default 100. */
  readonly enough?: number;
}

export interface SampleChainsOptions extends Omit<ChainOptions, "chain" | "initial"> {
  /** Default 4. */
  readonly chains?: number;
  /** Unconstrained initial values of each chain, [chains][dim]; or of all of them, [dim]. */
  readonly initial?: ArrayLike<number> | readonly ArrayLike<number>[];
}

export interface ChainsResult {
  readonly chains: readonly ChainResult[];
  /** Draws of each chain. */
  readonly count: number;
  /** Whether the signal ended the run before all draws were made. */
  readonly aborted: boolean;
}

const SLICE_MS = 50;

export const progressOf = (chain: number, run: ChainRun): ChainProgress => ({
  kind: "chain",
  chain,
  done: run.done,
  total: run.total,
  warmingUp: run.count === 0 && run.done < run.total,
  divergences: run.divergences,
});

/** Advances the runs in turn, slice by slice, so that they end together and an abort finds equal numbers of draws. */
async function drive(runs: readonly ChainRun[], first: number, driver: DriverOptions): Promise<ChainsResult> {
  const { signal, onProgress, enough = 100 } = driver;
  let going = runs.map((run, i) => ({ run, chain: first + i }));
  let aborted = false;
  while (going.length > 0 && !aborted) {
    const next: typeof going = [];
    for (const entry of going) {
      aborted ||= signal?.aborted ?? false;
      if (aborted) break;
      if (entry.run.advance(performance.now() + SLICE_MS)) next.push(entry);
      onProgress?.(progressOf(entry.chain, entry.run));
      await hostTurn();
    }
    going = next;
  }
  const count = Math.min(...runs.map((run) => run.count));
  if (aborted && count < enough) signal!.throwIfAborted();
  return { chains: runs.map((run) => run.result(count)), count, aborted };
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
  const { chains } = await drive([startChain(logDensity, options)], options.chain ?? 0, driver);
  return chains[0]!;
}

const isNested = (initial: ArrayLike<number> | readonly ArrayLike<number>[]): initial is readonly ArrayLike<number>[] =>
  initial.length > 0 && typeof initial[0] !== "number";

/** The options of each chain. Chain i's draws do not depend on how many chains there are. */
export function chainOptions(options: SampleChainsOptions): ChainOptions[] {
  const { chains = 4, initial, ...rest } = options;
  if (!Number.isInteger(chains) || chains < 1)
    throw new OptionError(`chains is a whole number, 1 or more, not ${chains}`);
  if (initial && isNested(initial) && initial.length !== chains)
    throw new OptionError(`initial has values for ${initial.length} chains; there are ${chains}`);
  return Array.from({ length: chains }, (_, chain) => ({
    ...rest,
    chain,
    initial: initial && isNested(initial) ? initial[chain] : initial,
  }));
}

/** Several chains on this thread, in turn. As `sampleChain`. */
export async function sampleChains(
  logDensity: LogDensity,
  options: SampleChainsOptions = {},
  driver: DriverOptions = {},
): Promise<ChainsResult> {
  const runs = chainOptions(options).map((chain) => startChain(logDensity, chain));
  return drive(runs, 0, driver);
}
