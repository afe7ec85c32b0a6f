import { escapeHtml, formatCount, formatFixed, formatSeconds, formatSignificant } from "./format.ts";
import { section, table } from "./markup.ts";
import { configuration, figures, page, tiles, timings, warnings } from "./page.ts";
import { chainFigures } from "./posterior-chains.ts";
import { chosenElements, leastMixed } from "./posterior-elements.ts";
import type { PosteriorReport, PosteriorRow, ReportAttempt } from "./posterior-input.ts";
import { marginals } from "./posterior-marginals.ts";
import { pairFigures } from "./posterior-pairs.ts";
import { predictiveFigures } from "./posterior-predictive.ts";
import { samplerFigures } from "./posterior-sampler.ts";
import { posteriorStyle } from "./posterior-style.ts";
import { weightsFigure } from "./posterior-weights.ts";

export type {
  ImportanceWeights,
  PosteriorReport,
  PosteriorRow,
  PosteriorSite,
  PredictiveSite,
  ReportAttempt,
  SamplerRecord,
} from "./posterior-input.ts";

const mostDensities = 24;
const mostTraces = 12;
const mostInPairs = 60;
const mostRows = 300;

/**
 * The report of a fit as one HTML file that opens without a network and shows everything without scripts. The same input gives the
 * same text. The verdict and the table are in it as JSON, in the element with id "ansatz-report".
 */
export function renderPosteriorReport(report: PosteriorReport): string {
  const { sampler, weights } = report;
  const last = report.attempts.at(-1)!;
  const elements = chosenElements(report, mostDensities);
  const latent = chosenElements(report, mostInPairs, true);
  const divergent = sampler?.divergent ?? [];
  const parts = [
    verdict(last),
    warnings(report.warnings),
    tiles(headline(report, last)),
    section("How it was found", ladder(report.attempts)),
    section("Posterior", summaryTable(report.rows)),
    section("Densities", marginals(elements, report.rows.length - elements.length)),
    sampler || report.chains > 1
      ? section("Chains", chainFigures(leastMixed(report, mostTraces), report.rows.length, divergent))
      : "",
    section("Pairs", pairFigures(latent.length > 1 ? latent : chosenElements(report, mostInPairs), divergent)),
    weights ? section("Importance weights", figures([weightsFigure(weights)])) : "",
    sampler ? section("Sampler", samplerFigures(sampler, report.chains, report.draws)) : "",
    section("Predictive check", predictiveFigures(report.predictive, report.predictiveNotes)),
    section("Configuration", configuration(report.configuration)),
    section("Timings", timings(report.timings)),
  ];
  return page(report, parts, dataOf(report), posteriorStyle);
}

/** What the page carries for programs: no draws, which are in the run's directory. */
function dataOf({
  title,
  createdAt,
  version,
  attempts,
  rows,
  configuration: settings,
  timings: times,
}: PosteriorReport) {
  return { title, createdAt, version, attempts, rows, configuration: settings, timings: times };
}

function verdict({ method, trusted, reason }: ReportAttempt): string {
  const word = trusted ? "Trusted" : "Not trusted";
  return (
    `<aside class="verdict${trusted ? "" : " not"}" role="note" aria-label="Verdict"><h2>${word}: ${escapeHtml(method)}</h2>` +
    `<p>${escapeHtml(sentence(reason))}</p></aside>`
  );
}

/** Begins with a capital. "k-hat" keeps its letter. */
const sentence = (text: string): string => (/^k-hat/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1));

function headline({ chains, draws, sampler, rows }: PosteriorReport, { khat }: ReportAttempt) {
  const worst = (of: (row: PosteriorRow) => number, pick: (...values: number[]) => number) =>
    pick(...rows.map(of).filter((v) => !Number.isNaN(v)));
  const rhat = worst((r) => r.rhat, Math.max);
  const ess = worst((r) => r.essBulk, Math.min);
  return [
    ...(khat === null ? [] : [{ label: "k-hat", value: formatFixed(khat, 2) }]),
    ...(Number.isFinite(rhat) ? [{ label: "largest R-hat", value: formatFixed(rhat, 3) }] : []),
    ...(Number.isFinite(ess) ? [{ label: "least bulk ESS", value: formatCount(ess) }] : []),
    { label: "draws", value: chains > 1 ? `${chains} × ${formatCount(draws)}` : formatCount(draws) },
    ...(sampler
      ? [{ label: "divergent", value: formatCount(Array.from(sampler.divergent).filter((d) => d).length) }]
      : []),
  ];
}

function ladder(attempts: readonly ReportAttempt[]): string {
  const rows = attempts.map(({ method, trusted, khat, reason, seconds }) => {
    const mark = trusted ? `<span class="mark-yes">trusted</span>` : `<span class="mark-no">not trusted</span>`;
    return (
      `<tr><th scope="row">${escapeHtml(method)}</th><td>${mark}</td><td class="number khat">${khat === null ? "–" : formatFixed(khat, 2)}</td>` +
      `<td class="number">${escapeHtml(formatSeconds(seconds))}</td><td class="reason">${escapeHtml(sentence(reason))}</td></tr>`
    );
  });
  const head = `<th scope="col">method</th><th scope="col">verdict</th><th scope="col" class="number">k-hat</th><th scope="col" class="number">time</th><th scope="col">why</th>`;
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="attempts"><table class="ladder"><thead><tr>${head}</tr></thead>` +
    `<tbody>${rows.join("")}</tbody></table></div>`
  );
}

/** Decimals that the Monte Carlo error of the mean supports, and one more. */
function decimalsOf({ mcseMean, sd, mean }: PosteriorRow): number | null {
  const error = mcseMean > 0 ? mcseMean : (sd > 0 ? sd : Math.abs(mean)) / 100;
  if (!(error > 0) || !Number.isFinite(error)) return null;
  const scale = Math.max(Math.abs(mean), sd);
  return scale >= 1e7 || scale < 1e-4 ? null : Math.min(10, Math.max(0, Math.floor(-Math.log10(error)) + 1));
}

function summaryTable(rows: readonly PosteriorRow[]): string {
  const isSampler = rows.some((row) => !Number.isNaN(row.rhat));
  const none = (value: number, text: string) => (Number.isNaN(value) ? "–" : text);
  const cells = rows.slice(0, mostRows).map((row) => {
    const decimals = decimalsOf(row);
    const show = (v: number) => (decimals === null ? formatSignificant(v, 3) : formatFixed(v, decimals));
    return [
      row.name,
      ...[row.mean, row.sd, row.q5, row.q50, row.q95].map((v) => none(v, show(v))),
      ...(isSampler ? [none(row.rhat, formatFixed(row.rhat, 3))] : []),
      none(row.essBulk, formatCount(row.essBulk)),
      none(row.essTail, formatCount(row.essTail)),
    ];
  });
  const columns = ["", "mean", "sd", "5 %", "50 %", "95 %", ...(isSampler ? ["R-hat"] : []), "bulk ESS", "tail ESS"];
  const styles = rows.slice(0, mostRows).map((row) => (row.rhat >= 1.01 ? "doubtful" : ""));
  const cut =
    rows.length > mostRows
      ? `<p class="remark">The first ${mostRows} of ${formatCount(rows.length)} rows; the manifest has all.</p>`
      : "";
  return table(columns, cells, styles) + cut;
}
