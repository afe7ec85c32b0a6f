import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createRun,
  type InferenceEvent,
  type InferOptions,
  infer,
  OptionError,
  type Posterior,
  runFiles,
  writeAtomically,
  writeFileTree,
} from "../src/node.ts";
import { describeFailure, exitCodes, UsageError } from "./failure.ts";
import { readFitData } from "./fit-data.ts";
import { type FitFlags, type FitManifest, type FitResult, fitFiles } from "./fit-manifest.ts";
import { fitProgress } from "./fit-progress.ts";
import { onInterrupt } from "./interrupt.ts";
import { inModel, loadModel } from "./load-model.ts";
import { remark, say, sayJson, warn, wrapped } from "./output.ts";
import { makeNumberedRun, makeRun, removeIfEmpty } from "./run-place.ts";
import { runtimeFor } from "./runtime.ts";
import { Stopwatch } from "./stopwatch.ts";
import { chosenSviOptions } from "./svi-flags.ts";
import { flagOf } from "./vae-flags.ts";
import { version } from "./version.ts";

/** Fits a model, leaves a run directory and prints the result. */
export async function runFit(path: string, flags: FitFlags): Promise<void> {
  const started = performance.now();
  const startedAt = new Date().toISOString();
  const clock = new Stopwatch();
  const options = optionsOf(flags);
  if (flags.out !== undefined && !flags.overwrite) refuseOtherFit(flags.out);
  // The line of the model that an error came from may lie deep under ours.
  Error.stackTraceLimit = Math.max(Error.stackTraceLimit, 50);
  const model = await clock.time("loading the model", () => loadModel(path));
  const data = flags.data === undefined ? {} : await clock.time("reading the data", () => readFitData(flags.data!));
  const directory = flags.out === undefined ? makeNumberedRun(path) : makeRun(flags.out);
  const progress = fitProgress(process.stderr);
  const interruption = onInterrupt(() => progress.interrupted());
  let posterior: Posterior;
  let inferring = performance.now();
  let notFinite: { readonly step: number; readonly message: string } | null = null;
  try {
    const chosen = flags.deterministic || flags.threads !== undefined;
    const runtime = chosen
      ? await runtimeFor({ deterministic: flags.deterministic ?? false, threads: flags.threads })
      : undefined;
    inferring = performance.now();
    posterior = await infer(model, data, {
      ...options,
      runtime,
      signal: interruption.signal,
      onEvent: (event) => {
        note(event, clock);
        if (event.kind === "nonFinite") notFinite ??= event;
        progress.update(event);
      },
    });
  } catch (error) {
    progress.done();
    removeIfEmpty(directory);
    if (interruption.code === null || error !== interruption.signal.reason)
      throw inModel(withoutData(error, flags), path);
    const message = "Interrupted before there were draws to keep: nothing was written.";
    remark(message);
    if (flags.json) sayJson({ error: { name: "Interrupted", message } });
    process.exitCode = interruption.code;
    return;
  } finally {
    progress.done();
  }
  const stages = posterior.attempts.reduce(
    (sum, { seconds }) => sum + seconds,
    clock.seconds["compiling the model"] ?? 0,
  );
  clock.add("drawing what is reported", Math.max(0, (performance.now() - inferring) / 1000 - stages));

  const isPartial = posterior.chains?.aborted ?? false;
  const warnings = [...posterior.warnings];
  warnings.push(...notFiniteText(notFinite, posterior));
  if (isPartial) warnings.push(partialText(posterior));
  const result = resultOf(posterior);
  const { runtime } = posterior.problem;
  const manifest: FitManifest = {
    format: 1,
    kind: "fit",
    ansatz: version,
    status: isPartial ? "interrupted" : "done",
    command: `ansatz ${process.argv.slice(2).join(" ")}`,
    model: identified(path),
    data: flags.data === undefined ? null : identified(flags.data),
    given: givenOf(options),
    seed: posterior.seed,
    deterministic: flags.deterministic ?? false,
    blas: runtime.blas?.description ?? null,
    relaxedSimd: runtime.relaxed,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    attempts: posterior.attempts,
    result,
    warnings,
    timings: clock.seconds,
    startedAt,
    finishedAt: new Date().toISOString(),
  };
  keepPosterior(directory, posterior);
  createRun(directory, manifest as unknown as Record<string, unknown>, { overwrite: true });
  const exported = await writeExports(directory, posterior, flags);
  let report: string | null = null;
  try {
    if (flags.report) report = await reportOf(directory, manifest, posterior);
  } catch (error) {
    // The posterior is there and stays the result.
    warnings.push(`There is no report: ${describeFailure(error).message}`);
  }
  for (const text of warnings) warn(text);
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) sayJson({ ...result, run: directory, report, exports: exported, warnings, seconds });
  else {
    say(wrapped(`${result.method}: ${result.trusted ? "trusted" : "NOT trusted"}. ${result.reason}`));
    say(`\n${posterior.tableText()}\n`);
    const places = [["run", directory], ["report", report], ...exported.map((place) => ["export", place])];
    for (const [name, place] of places) if (place) say(`${name!.padEnd(8)}${place}`);
  }
  process.exitCode = isPartial ? (interruption.code ?? exitCodes.ok) : exitCodes.ok;
}

/** Where the data lack what the model reads because none were given, says so. */
function withoutData(error: unknown, flags: FitFlags): unknown {
  if (flags.data === undefined && error instanceof OptionError) {
    error.message = error.message.replace(
      "but the data hold nothing. Give it,",
      "but no --data were given. Give it there,",
    );
  }
  return error;
}

/** @throws OptionError when the directory holds a run: found out before anything is computed */
function refuseOtherFit(directory: string): void {
  if (!existsSync(join(directory, runFiles.manifest))) return;
  throw new OptionError(
    `${directory} holds a run already. Replace it (--overwrite), or choose another directory (--out).`,
  );
}

const optionsOf = (flags: FitFlags): InferOptions => {
  const { method, seed, draws, chains, warmUp, targetAcceptance, group = [], gradient, deterministic } = flags;
  const svi = chosenSviOptions(flags as never);
  if (svi && method !== "svi") {
    throw new UsageError(`${Object.keys(svi).map(flagOf).join(", ")}: only --method svi takes this.`);
  }
  if (group.length && method !== "cavi" && method !== "svi")
    throw new UsageError("--group: only --method cavi and svi take this.");
  if (gradient && method !== "cavi") throw new UsageError("--gradient: only --method cavi takes this.");
  const groups = group.length ? { groups: group } : {};
  return {
    ...{ method, seed, draws, chains, warmUp, targetAcceptance, deterministic },
    cavi: method === "cavi" ? { ...groups, gradient } : undefined,
    svi: method === "svi" ? { ...svi, ...groups } : undefined,
  };
};

/** The options that were given, as the manifest lists them: one by one. */
function givenOf({ cavi, svi, ...others }: InferOptions): FitManifest["given"] {
  const all = Object.entries({ ...others, ...cavi, ...svi }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(all) as FitManifest["given"];
}

/** Keeps the seconds that the stages of a fit took. */
function note(event: InferenceEvent, clock: Stopwatch): void {
  if (event.kind === "start") clock.add("compiling the model", event.seconds);
  if (event.kind === "attempted") clock.add(event.method, event.seconds);
}

/** Where the log density was not finite on the way, unless the verdict says it. */
const notFiniteText = (
  met: { readonly step: number; readonly message: string } | null,
  { reason }: Posterior,
): string[] =>
  met === null || reason.includes(met.message)
    ? []
    : [`At step ${met.step} the log density was not finite: ${met.message}.`];

const partialText = ({ allDraws: { chains, draws } }: Posterior): string =>
  `Interrupted after ${draws} draws of each of ${chains} chains: these were kept.`;

const identified = (path: string): { path: string; sha256: string } => ({
  path,
  sha256: createHash("sha256").update(readFileSync(path)).digest("hex"),
});

/** What --json prints, and the manifest keeps. */
function resultOf({ method, trusted, khat, reason, table, approximation }: Posterior): FitResult {
  const parameters = Object.fromEntries(
    table.map(({ name, mean, sd, q5, q50, q95, rhat, essBulk }) => [name, { mean, sd, q5, q50, q95, rhat, essBulk }]),
  );
  return { method, trusted, khat, reason, parameters, ...boundsOf(approximation) };
}

/** What message passing says besides: of coordinate ascent the bound, of EP log Z, and how many sweeps it took. */
function boundsOf(approximation: Posterior["approximation"]): Pick<FitResult, "elbo" | "logZ" | "sweeps"> {
  if (approximation === null) return {};
  const { fit, logZ, sweeps } = approximation as { fit?: { elbo?: number }; logZ?: number; sweeps?: number };
  return { ...(fit?.elbo === undefined ? {} : { elbo: fit.elbo }), ...(logZ === undefined ? {} : { logZ }), ...(sweeps === undefined ? {} : { sweeps }) }; // biome-ignore format: one line
}

/**
 * Puts the posterior in place, before a manifest says that it is there: on a full disk a run that is replaced stays as it was, and of
 * a new one nothing is left.
 */
function keepPosterior(directory: string, posterior: Posterior): void {
  try {
    writeAtomically(join(directory, fitFiles.posterior), posterior.save());
  } catch (error) {
    removeIfEmpty(directory);
    throw error;
  }
  for (const name of Object.values(fitFiles))
    if (name !== fitFiles.posterior) rmSync(join(directory, name), { recursive: true, force: true });
}

/** Writes the posterior in the formats that were asked for, and returns where. */
async function writeExports(directory: string, posterior: Posterior, flags: FitFlags): Promise<string[]> {
  const places: string[] = [];
  for (const format of new Set(flags.export ?? [])) {
    const place = join(directory, fitFiles[format]);
    if (format === "arviz") writeFileTree(place, await posterior.toArviz());
    else if (format === "stan") {
      mkdirSync(place);
      for (const [name, bytes] of Object.entries(posterior.toStanCsv())) writeFileSync(join(place, name), bytes);
    } else writeFileSync(place, await posterior.toParquet());
    places.push(place);
  }
  return places;
}

/** The report, and beside the posterior what it needs to be written anew. */
async function reportOf(directory: string, manifest: FitManifest, posterior: Posterior): Promise<string> {
  const [{ checksOf, encodeChecks }, { writeFitReport }] = await Promise.all([
    import("./fit-checks.ts"),
    import("./fit-report.ts"),
  ]);
  const checks = await checksOf(posterior);
  writeFileSync(join(directory, fitFiles.checks), encodeChecks(checks));
  const { allDraws: draws, table, samplerStats } = posterior;
  return writeFitReport(directory, manifest, { draws, table, stats: samplerStats as never, checks });
}
