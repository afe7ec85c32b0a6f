import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { type PosteriorReport, type PosteriorRow, renderPosteriorReport } from "../../src/report/posterior-report.ts";
import { unbalanced } from "./unbalanced.ts";

const [chains, draws] = [2, 200];
const normals = (name: string, count: number) => new Generator(3, name).normals(new Float64Array(count));

const row = (name: string, changes: Partial<PosteriorRow> = {}): PosteriorRow => ({
  name,
  mean: 0.01,
  sd: 1,
  q5: -1.64,
  q50: 0,
  q95: 1.64,
  rhat: 1.001,
  essBulk: 390,
  essTail: 380,
  mcseMean: 0.05,
  ...changes,
});

const zeros = new Float64Array(chains * draws);
const report: PosteriorReport = {
  title: "schools: posterior",
  createdAt: "2024-01-02 03:04:05 UTC",
  version: "0.1.0",
  attempts: [
    { method: "laplace", trusted: false, khat: 0.93, reason: "k-hat is 0.93, above 0.50", seconds: 0.02 },
    { method: "nuts", trusted: true, khat: null, reason: "2 chains agree.", seconds: 1.5 },
  ],
  rows: [row("mu"), row("theta[1]"), row("theta[2]", { rhat: 1.05 })],
  chains,
  draws,
  sites: [
    { name: "mu", shape: [], values: normals("mu", chains * draws), isLatent: true },
    { name: "theta", shape: [2], values: normals("theta", 2 * chains * draws), isLatent: true },
  ],
  sampler: {
    energy: normals("energy", chains * draws),
    stepSize: zeros.map(() => 0.4),
    acceptance: zeros.map(() => 0.85),
    depth: zeros.map((_, i) => 2 + (i % 3)),
    leapfrogs: zeros.map(() => 7),
    divergent: zeros.map((_, i) => (i === 7 ? 1 : 0)),
    ebfmi: [0.9, 0.15],
  },
  weights: null,
  predictive: [
    { name: "y", shape: [20], observed: normals("y", 20), replicates: normals("replicates", 50 * 20), count: 50 },
  ],
  predictiveNotes: ['"z" has no replicates.'],
  warnings: [],
  configuration: [{ key: "seed", value: "0" }],
  timings: [{ label: "nuts", seconds: 1.5 }],
};
const independent: PosteriorReport = {
  ...report,
  attempts: [{ method: "laplace", trusted: true, khat: 0.2, reason: "k-hat is 0.20", seconds: 0.02 }],
  rows: report.rows.map((r) => ({ ...r, rhat: Number.NaN })),
  chains: 1,
  draws: chains * draws,
  sampler: null,
  weights: { raw: normals("weights", 1000), smoothed: normals("weights", 1000), khat: 0.2, limit: 0.5, ess: 812 },
};

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;
const headings = (html: string) => [...html.matchAll(/<section><h2>(.*?)<\/h2>/g)].map((found) => found[1]);
const figureOf = (html: string, id: string) => {
  const start = html.lastIndexOf("<svg", html.indexOf(`id="${id}-title"`));
  return html.slice(start, html.indexOf("</svg>", start));
};

describe("the report of a fit", () => {
  const html = renderPosteriorReport(report);

  test("opens with the verdict on the last attempt, and lists all of them with their reasons", () => {
    expect(html).toMatch(/<aside class="verdict" [^>]*><h2>Trusted: nuts<\/h2><p>2 chains agree\.<\/p>/);
    expect(count(html, /<span class="mark-no">not trusted<\/span>/g)).toBe(1);
    expect(html).toContain("k-hat is 0.93, above 0.50");
    const untrusted = renderPosteriorReport({ ...report, attempts: report.attempts.slice(0, 1) });
    expect(untrusted).toMatch(/<aside class="verdict not" [^>]*><h2>Not trusted: laplace<\/h2>/);
  });

  test("has the sections of what a sampler gives, and none of the weights", () => {
    expect(headings(html)).toEqual([
      "How it was found",
      "Posterior",
      "Densities",
      "Chains",
      "Pairs",
      "Sampler",
      "Predictive check",
      "Configuration",
      "Timings",
    ]);
  });

  test("of independent draws has weights instead of chains, and no column of R-hat", () => {
    const page = renderPosteriorReport(independent);
    expect(headings(page)).toContain("Importance weights");
    expect(headings(page)).not.toContain("Chains");
    expect(page).not.toContain("R-hat</th>");
    expect(page).toContain("k-hat is 0.20, below 0.50");
    expect(page).toMatch(/leaves as much as 812 independent ones/);
  });

  test("is one file: nothing is fetched and nothing runs", () => {
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/<script(?! type="application\/json")/);
    expect(html).not.toMatch(/\b(src|href)="(?!data:)/);
    expect(html).not.toMatch(/\bon\w+="/);
    expect(html).not.toContain("NaN");
  });

  test.each([
    ["of a sampler", report],
    ["of independent draws", independent],
  ])("%s is well-formed", (_, input) => {
    expect(unbalanced(renderPosteriorReport(input))).toEqual([]);
  });

  test("the same input gives the same text", () => {
    expect(renderPosteriorReport(report)).toBe(html);
  });

  test("ids of figures are unique", () => {
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((found) => found[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("a row whose chains do not agree stands out", () => {
    expect(html).toMatch(/<tr class="doubtful"><th scope="row">theta\[2\]<\/th>/);
    expect(count(html, /<tr class="doubtful"><th scope="row">theta/g)).toBe(1);
  });

  test("a chain that diverged, or whose energy mixes slowly, stands out", () => {
    expect(count(html, /<tr class="doubtful"><th scope="row">[12]<\/th>/g)).toBe(2);
  });

  test("a time in ISO's form is shown to the second", () => {
    const html = renderPosteriorReport({ ...report, createdAt: "2024-01-02T03:04:05.678Z" });
    expect(html).toContain('<p class="made">2024-01-02 03:04:05 UTC · ansatz');
  });

  test("a divergent draw is marked in traces and pairs", () => {
    expect(figureOf(html, "trace-0")).toMatch(/<path class="divergent-tick" d="M[\d.]+ \d+v-6"\/>/);
    const paired = {
      ...report,
      sites: report.sites.map((s) => ({ ...s, values: s.values.map((v, i) => v + (i % 7)) })),
    };
    expect(renderPosteriorReport(paired)).toMatch(/<path class="wild" d="M/);
  });

  test("each number has as many decimals as its error supports, and one more", () => {
    expect(html).toMatch(/<th scope="row">mu<\/th><td class="number">0\.01<\/td><td class="number">1\.00<\/td>/);
  });

  test("notes what could not be replicated, and how many observations lie within their replicates", () => {
    expect(html).toContain("&quot;z&quot; has no replicates.");
    expect(html).toMatch(/Of 20 observations \d+ % lie in the middle half of their replicates/);
  });

  test("names that look like markup are text", () => {
    const page = renderPosteriorReport({ ...report, title: "<b>x</b>", rows: [row("<i>"), ...report.rows.slice(1)] });
    expect(page).not.toMatch(/<b>|<i>/);
    expect(page).toContain("&lt;i&gt;");
  });

  test("carries verdict and table as JSON, with null for what is no number", () => {
    const text = /<script type="application\/json" id="ansatz-report">(.*?)<\/script>/s.exec(
      renderPosteriorReport(independent),
    )![1]!;
    const data = JSON.parse(text);
    expect(data.attempts[0]).toEqual(independent.attempts[0]);
    expect(data.rows[0]).toMatchObject({ name: "mu", mean: 0.01, rhat: null });
  });
});

describe("the extremes", () => {
  test("a constant has no density, and is said to be one", () => {
    const sites = [{ name: "mu", shape: [], values: zeros, isLatent: true }];
    const page = renderPosteriorReport({ ...independent, sites, rows: [row("mu", { mean: 0, sd: 0 })] });
    expect(page).toContain("always 0");
  });

  test("of a thousand elements two dozen are drawn, and it says so", () => {
    const sites = [{ name: "x", shape: [1000], values: normals("x", 1000 * 4), isLatent: true }];
    const rows = Array.from({ length: 1000 }, (_, i) => row(`x[${i + 1}]`));
    const page = renderPosteriorReport({ ...independent, chains: 1, draws: 4, sites, rows });
    expect(page).toContain("24 of 1000 are shown");
    expect(page).toContain("The first 300 of 1\u202f000 rows");
    expect(count(page, /id="density-\d+-title"/g)).toBe(24);
  });

  test("draws that are not finite do not reach a figure", () => {
    const values = normals("mu", chains * draws).map((v, i) => (i === 3 ? Number.NaN : i === 4 ? Infinity : v));
    const page = renderPosteriorReport({ ...report, sites: [{ ...report.sites[0]!, values }], rows: [row("mu")] });
    expect(page).not.toMatch(/d="[^"]*(NaN|Infinity)/);
  });

  test("one observation stands on the distribution of its replicates", () => {
    const site = { name: "total", shape: [], observed: [1.5], replicates: normals("total", 100), count: 100 };
    const page = renderPosteriorReport({ ...report, predictive: [site] });
    expect(page).toContain("The line is what was observed: 1.5.");
  });

  test("zeros and ones are shown by how often they occur, not one by one", () => {
    const observed = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const replicates = Array.from({ length: 300 }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const page = renderPosteriorReport({
      ...report,
      predictive: [{ name: "hit", shape: [30], observed, replicates, count: 10 }],
    });
    expect(page).toContain("How often each value occurs");
    expect(page).not.toContain("Observations one by one");
  });
});
