import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import {
  DataError,
  type Draws,
  ebfmi,
  loadPosterior,
  type PosteriorReport,
  renderPosteriorReport,
  type SamplerRecord,
  type SummaryRow,
  writeReport,
} from "../src/node.ts";
import { decodeChecks, type FitChecks } from "./fit-checks.ts";
import { type FitManifest, fitFiles, readFitManifest } from "./fit-manifest.ts";

/** What a sampler recorded, [chains, draws] each. */
type Stats = Readonly<Record<string, ArrayLike<number> | undefined>>;

interface Content {
  readonly draws: Draws;
  readonly table: readonly SummaryRow[];
  readonly stats: Stats | null;
  readonly checks: FitChecks;
}

/** Writes report.html and returns its path. */
export function writeFitReport(directory: string, manifest: FitManifest, content: Content): string {
  return writeReport(directory, renderPosteriorReport(inputOf(manifest, content)));
}

/** Writes report.html anew from what the run's directory holds. @throws DataError where parts are missing or damaged */
export function rewriteFitReport(directory: string): string {
  const manifest = readFitManifest(directory);
  const path = join(directory, fitFiles.posterior);
  if (!existsSync(path)) {
    throw new DataError(`${directory} has no ${fitFiles.posterior}: the posterior is gone. Run the fit again.`);
  }
  const { saved, table } = loadPosterior(readFileSync(path), path);
  const checksPath = join(directory, fitFiles.checks);
  const checks: FitChecks = existsSync(checksPath)
    ? decodeChecks(readFileSync(checksPath), checksPath)
    : { weights: null, predictive: [], notes: ["This run kept no replicated data (--no-report)."], latent: [] };
  return writeFitReport(directory, manifest, {
    draws: saved.draws,
    table,
    stats: (saved.stats as Stats) ?? null,
    checks,
  });
}

function inputOf(manifest: FitManifest, { draws, table, stats, checks }: Content): PosteriorReport {
  const { attempts, result, timings } = manifest;
  const model = basename(manifest.model.path).replace(/\.[cm]?[jt]sx?$/, "");
  const data = manifest.data && basename(manifest.data.path);
  const given = data !== null && data.replace(/\..*$/, "") !== model ? ` given ${data}` : "";
  return {
    title: `${model}: posterior${given}`,
    createdAt: manifest.startedAt,
    version: manifest.ansatz,
    attempts,
    rows: table.map((row) => ownDiagnostics(row, result)),
    chains: draws.chains,
    draws: draws.draws,
    sites: Object.entries(draws.sites).map(([name, { shape, values }]) => ({
      name,
      shape,
      values,
      isLatent: checks.latent.includes(name),
    })),
    sampler: stats && samplerRecord(stats, draws),
    weights: checks.weights,
    predictive: checks.predictive,
    predictiveNotes: checks.notes,
    warnings: manifest.warnings,
    configuration: [
      { key: "command", value: manifest.command },
      { key: "model", value: `${manifest.model.path} (SHA-256 ${manifest.model.sha256.slice(0, 12)}…)` },
      {
        key: "data",
        value: manifest.data ? `${manifest.data.path} (SHA-256 ${manifest.data.sha256.slice(0, 12)}…)` : "in the model",
      },
      { key: "seed", value: String(manifest.seed) },
      ...Object.entries(manifest.given)
        .filter(([key]) => key !== "seed")
        .map(([key, value]) => ({ key, value: String(value) })),
      { key: "deterministic", value: manifest.deterministic ? "yes: the same bits on every machine" : "no" },
      { key: "backend", value: backendText(manifest) },
      { key: "machine", value: `${manifest.platform}, Node ${manifest.node}` },
    ],
    timings: Object.entries(timings).map(([label, seconds]) => ({ label, seconds })),
  };
}

const backendText = ({ blas, relaxedSimd }: FitManifest): string =>
  `${blas ?? "wasm kernels"}${relaxedSimd ? ", relaxed SIMD" : ""}`;

/** Diagnostics as the fit gave them: of a variational posterior its draws alone do not tell them. */
function ownDiagnostics(row: SummaryRow, { parameters }: FitManifest["result"]): SummaryRow {
  const own = parameters[row.name] as { rhat?: number | null; essBulk?: number | null } | undefined;
  if (!own) return row;
  const rhat = own.rhat ?? Number.NaN;
  const essBulk = own.essBulk ?? Number.NaN;
  return { ...row, rhat, essBulk, essTail: own.rhat == null ? essBulk : row.essTail };
}

function samplerRecord(stats: Stats, { chains, draws }: Draws): SamplerRecord | null {
  const { energy, stepSize, acceptance, depth, leapfrogs, divergent } = stats;
  if (!energy || !stepSize || !acceptance || !depth || !leapfrogs || !divergent) return null;
  const all = Array.from(energy);
  return {
    energy,
    stepSize,
    acceptance,
    depth,
    leapfrogs,
    divergent,
    ebfmi: Array.from({ length: chains }, (_, c) => ebfmi(all.slice(c * draws, (c + 1) * draws))),
  };
}
