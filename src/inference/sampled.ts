import type { Draws } from "../posterior/draws.ts";
import { type Certificate, certifyChains, divergencesOf } from "./certificate.ts";
import { doubtOfChains } from "./certify-reported.ts";
import { explainNonFinite } from "./diagnose.ts";
import type { Fit, InferOptions, Result } from "./fit.ts";
import { type ChainsResult, sampleChains } from "./mcmc/chains.ts";
import { doubtOfModes } from "./modes.ts";
import { pointsOf, reportDraws } from "./posterior.ts";

type Sampler = "nuts" | "hmc";

/**
 * Chains of a sampler, judged.
 *
 * @param around  they start dispersed about the modes that searches found
 * @param from    chains of the same options with fewer draws, which go on
 */
export async function sampled(
  fit: Fit,
  name: Sampler,
  changes: Partial<InferOptions> = {},
  around = false,
  from?: ChainsResult["chains"],
): Promise<Result> {
  const { chains, draws, warmUp, targetAcceptance, signal, onEvent } = { ...fit.options, ...changes };
  const { problem, seed } = fit;
  const initial = around ? await fit.starts(chains ?? 4) : undefined;
  const result = await sampleChains(
    fit.density,
    { seed, initial, chains, draws, warmUp, targetAcceptance, names: problem.names, algorithm: { name }, from },
    { signal, onProgress: onEvent },
  );
  fit.chains = result;
  const [certificate, reported] = await certifySampled(fit, result);
  const met = result.chains.find((c) => c.nonFinite);
  if (!met?.nonFinite) return { certificate, approximation: null, weighted: null, chains: result, reported };
  const { message } = await explainNonFinite(problem, met.nonFinite.at);
  onEvent?.({ kind: "nonFinite", chain: met.chain, step: met.nonFinite.draw, message });
  const reason = `${certificate.reason} At draw ${met.nonFinite.draw + 1} chain ${met.chain + 1} met a log density that is not finite: ${message.replace(/\.$/, "")}.`; // biome-ignore format: one line
  return { certificate: { ...certificate, reason }, approximation: null, weighted: null, chains: result, reported };
}

/** The draws of each chain where none were asked for, and how many there may be where those do not suffice. */
const USUAL_DRAWS = 1000;
const MOST_DRAWS = 4000;
/** The target acceptance where transitions diverged and none was asked for. */
export const SHORTER_STEPS = 0.99;
const MOST_RUNS = 3;

/** What chains are asked for, before it is changed. */
type Asked = Pick<InferOptions, "draws" | "warmUp" | "targetAcceptance">;

interface Bounds {
  /** See `sampled`. */
  readonly around?: boolean;
  /** Draws of each chain that there may be. Default: as many as the user asked for, else MOST_DRAWS. */
  readonly mostDraws?: number;
  /** See `sampled`. */
  readonly from?: ChainsResult["chains"];
}

/**
 * Chains whose draws, and length of steps, are chosen where they were left open: more draws where those leave the moments uncertain,
 * shorter steps where transitions diverged.
 */
export async function sampledEnough(
  fit: Fit,
  name: Sampler,
  first: Asked = fit.options,
  { around = false, mostDraws = fit.options.draws ?? MOST_DRAWS, from }: Bounds = {},
): Promise<Result> {
  const { signal, onEvent } = fit.options;
  let result = await sampled(fit, name, first, around, from);
  let asked = first;
  let diverged: Result | null = null;
  for (let run = 1; run < MOST_RUNS; run++) {
    const { chains, aborted } = result.chains!;
    if (result.certificate.trusted || aborted || chains.some((c) => c.nonFinite)) break;
    const next = await nextToAsk(fit, result, asked, mostDraws);
    if (!next) break;
    onEvent?.({ kind: "attempt", method: textOf(name, next) });
    const goesOn = next.targetAcceptance === asked.targetAcceptance;
    // Of a run that is ended early nothing is kept: there are complete draws.
    const again = await sampled(fit, name, next, around, goesOn ? chains : undefined).catch((error) => {
      if (signal?.aborted) return null;
      throw error;
    });
    if (!again || again.chains!.aborted) break;
    if (!goesOn) diverged = result;
    [result, asked] = [again, next];
  }
  if (diverged === null || divergencesOf(result.chains!) > 0) return result;
  return { ...result, certificate: { ...result.certificate, reason: reasonAfter(diverged, result) } };
}

/** The verdict on chains without divergent transitions, and what made their steps shorter. */
function reasonAfter({ certificate: before, chains }: Result, { certificate: { trusted, reason } }: Result): string {
  const shorter = `shorter steps (targetAcceptance ${SHORTER_STEPS})`;
  if (!trusted) return `${before.reason} With ${shorter} none did, but ${reason}`;
  const transitions = chains!.chains.length * chains!.count;
  return `${reason} This took ${shorter}: with the usual ones ${divergencesOf(chains!)} of ${transitions} transitions had diverged.`;
}

/** What to ask for next, of what was left open; null where nothing is left that would make the moments certain. */
async function nextToAsk(fit: Fit, result: Result, asked: Asked, mostDraws: number): Promise<Asked | null> {
  const { draws = USUAL_DRAWS, targetAcceptance } = asked;
  const diverged = divergencesOf(result.chains!) > 0;
  const shorter = diverged && targetAcceptance === undefined;
  // More draws of the same chains have the same divergent transitions among them.
  if (diverged && !shorter) return null;
  const enough = draws < mostDraws ? Math.min(await enoughDraws(fit, result, draws), mostDraws) : draws;
  if (!shorter && enough === draws) return null;
  return { ...asked, draws: enough, targetAcceptance: shorter ? SHORTER_STEPS : targetAcceptance };
}

/** As many draws as the reported moments need; as many as there were where more are of no use. */
async function enoughDraws(fit: Fit, { chains, reported }: Result, draws: number): Promise<number> {
  const times = fit.longer > 1 ? fit.longer : timesFor(reported ?? (await reportedOf(fit, chains!)));
  return times > 1 && Number.isFinite(times) ? Math.ceil(1.3 * times * draws) : draws;
}

/** So many times the draws would do for what is reported of them; 1 where these do, or more are of no use. */
function timesFor(reported: Draws): number {
  const doubt = doubtOfChains(reported, new Set());
  return doubt && Number.isFinite(doubt.more) ? doubt.more : 1;
}

const textOf = (name: Sampler, { draws = USUAL_DRAWS, targetAcceptance }: Asked): string =>
  `${name}, ${draws} draws each${targetAcceptance === SHORTER_STEPS ? ", shorter steps" : ""}`;

const reportedOf = async (fit: Fit, result: ChainsResult): Promise<Draws> =>
  reportDraws(fit.problem, pointsOf(result), result.chains.length, result.count, await fit.reporter());

/** Judges chains by the coordinates, then by the modes that searches found, then by what is reported of them. */
async function certifySampled(fit: Fit, result: ChainsResult): Promise<[Certificate, Draws | undefined]> {
  const { certificate, more } = certifyChains(result, fit.problem.names);
  fit.longer = more;
  if (!certificate.trusted) {
    // What is reported may need still more draws than the coordinates do.
    if (more > 1) fit.longer = Math.max(more, timesFor(await reportedOf(fit, result)));
    return [certificate, undefined];
  }
  const { beside, best } = await fit.modes();
  const unknown = doubtOfModes(result, [best, ...beside], fit.problem.names);
  if (unknown) return [{ ...certificate, trusted: false, reason: unknown }, undefined];
  const reported = await reportedOf(fit, result);
  const doubt = doubtOfChains(reported, new Set());
  fit.longer = doubt?.more ?? 1;
  return [doubt ? { ...certificate, trusted: false, reason: doubt.reason } : certificate, reported];
}
