import { OptionError } from "../base/errors.ts";
import { mean, variance } from "../diagnostics/moments.ts";
import { centralInterval, highestDensityInterval, type Interval, quantiles } from "../diagnostics/quantile.ts";
import { type Draws, elementNames, type SiteDraws, siteOf } from "../posterior/draws.ts";
import type { InferenceDataContent, InferenceDataOptions } from "../posterior/inference-data.ts";
import { toParquet } from "../posterior/parquet.ts";
import type { SamplerStats } from "../posterior/sampler-stats.ts";
import { stanCsv } from "../posterior/stan-csv.ts";
import { type SummaryRow, summary } from "../posterior/summary.ts";
import { formatSummary } from "../posterior/summary-table.ts";
import type { FileTree } from "../posterior/zarr.ts";
import type { Attempt } from "./certificate.ts";

/** Draws, and what was said of them. */
export interface DrawnParts {
  readonly draws: Draws;
  readonly attempts: readonly Attempt[];
  readonly seed: number;
  /** Importance ESS of the reported draws where they were resampled by their weights. */
  readonly importanceEss: number | null;
  readonly warnings: readonly string[];
}

function checkProbability(probability: number): void {
  if (probability >= 0 && probability <= 1) return;
  throw new OptionError(`a probability is a number from 0 to 1, not ${probability}: 0.9 for 90 %`);
}

/** What can be said of a posterior by its draws alone, whether it was fitted here or read from a file. */
export abstract class DrawnPosterior {
  abstract readonly draws: Readonly<Record<string, SiteDraws>>;
  /** The same with the numbers of chains and draws, each quantity under one name. */
  readonly allDraws: Draws;
  readonly attempts: readonly Attempt[];
  readonly seed: number;
  /** What the sampler recorded of each draw, [chains, draws]; null where there was none. */
  abstract get samplerStats(): SamplerStats | null;
  /** What no number of the result shows: that q provably leaves out a part of the model's support. */
  readonly warnings: readonly string[];
  /** Importance ESS of the reported draws where they were resampled by their weights. */
  readonly importanceEss: number | null;
  private rows: SummaryRow[] | null = null;

  constructor({ draws, attempts, seed, importanceEss, warnings }: DrawnParts) {
    this.allDraws = draws;
    this.attempts = attempts;
    this.seed = seed;
    this.importanceEss = importanceEss;
    this.warnings = warnings;
  }

  private get last(): Attempt {
    return this.attempts.at(-1)!;
  }
  /** The method that the draws are from. */
  get method(): string {
    return this.last.method;
  }
  /** Whether the reported moments are vouched for; `reason` says in words why, or why not. */
  get trusted(): boolean {
    return this.last.trusted;
  }
  /** What vouches for the reported moments, or what speaks against them. */
  get reason(): string {
    return this.last.reason;
  }
  /** k-hat of the joint importance weights; null for a sampler's draws. */
  get khat(): number | null {
    return this.last.khat;
  }

  /** Whether the draws are chains, each draw after the one before it. */
  private get areChains(): boolean {
    return this.allDraws.chains > 1 || this.samplerStats !== null;
  }

  /** A row for each element: mean, sd, quantiles, diagnostics. */
  get table(): readonly SummaryRow[] {
    if (!this.rows) {
      const rows = summary(this.allDraws, this.areChains);
      // Draws that were resampled by weight are independent but for the weights: chains they have none.
      const ess = this.importanceEss;
      this.rows = this.areChains
        ? rows
        : rows.map((row) => {
            const size = ess === null ? row.essBulk : Math.min(row.essBulk, ess);
            return { ...row, rhat: Number.NaN, essBulk: size, essTail: size, mcseMean: row.sd / Math.sqrt(size) };
          });
    }
    return this.rows;
  }

  /** The table as text, with the certificate above it. */
  summary(): string {
    const verdict = `${this.method}: ${this.trusted ? "trusted" : "NOT trusted"}. ${this.reason}`;
    const unseen =
      this.khat === null
        ? []
        : ["k-hat is made of draws of q and around it: it cannot see a mode that was never visited."];
    const warnings = this.warnings.map((w) => `Warning: ${w}`);
    return `${[verdict, ...unseen, ...warnings].join("\n")}\n\n${formatSummary(this.table)}`;
  }

  /** The table alone as text. */
  tableText(): string {
    return formatSummary(this.table);
  }

  private elements(name: string): Float64Array[] {
    const { shape, values } = siteOf({ ...this.allDraws, sites: this.draws }, name);
    const size = elementNames(name, shape).length;
    return Array.from({ length: size }, (_, i) => Float64Array.from({ length: values.length / size }, (_, d) => values[d * size + i]!)); // biome-ignore format: one line
  }

  /** Posterior means of a site's elements, row-major; of a scalar one number. @throws OptionError naming the sites, of an unknown one */
  mean(name: string): number[] {
    return this.elements(name).map((x) => mean(x));
  }
  /** Posterior standard deviations of a site's elements, row-major. @throws OptionError naming the sites, of an unknown one */
  sd(name: string): number[] {
    return this.elements(name).map((x) => Math.sqrt(variance(x)));
  }
  /** For each of a site's elements, row-major, the value that so much of the posterior lies below. @throws OptionError unless 0 ≤ probability ≤ 1 */
  quantile(name: string, probability: number): number[] {
    checkProbability(probability);
    return this.elements(name).map((x) => quantiles(x, [probability])[0]!);
  }
  /** Intervals that hold this much of the posterior: of equal tails, or the shortest. @throws OptionError unless 0 ≤ probability ≤ 1 */
  interval(name: string, probability = 0.9, kind: "central" | "highestDensity" = "central"): Interval[] {
    checkProbability(probability);
    const of = kind === "central" ? centralInterval : highestDensityInterval;
    return this.elements(name).map((x) => of(x, probability));
  }

  /** The groups of ArviZ's InferenceData that draws and statistics of the sampler make. */
  protected async arvizContent(): Promise<InferenceDataContent> {
    const { allDraws: posterior, samplerStats } = this;
    return { posterior, ...(samplerStats && { sampleStats: samplerStats }) };
  }
  /** ArviZ's InferenceData as the files of a Zarr store, by path. */
  async toArviz(options: InferenceDataOptions = {}): Promise<FileTree> {
    const { inferenceData } = await import("../posterior/inference-data.ts");
    return inferenceData(await this.arvizContent(), options);
  }
  /** CmdStan's CSV files, one a chain, by name. */
  toStanCsv(): FileTree {
    return stanCsv(this.allDraws, this.samplerStats ?? {}, { seed: this.seed });
  }
  /** One Parquet table: a row for each draw. */
  toParquet(): Promise<Uint8Array> {
    return toParquet(this.allDraws, this.samplerStats ?? {});
  }
}
