import { describe, expect, test } from "vitest";
import { type EpochMetrics, type ReportInput, renderReport } from "../../src/report/report.ts";
import { unbalanced } from "./unbalanced.ts";

const nothing: ReportInput = {
  title: "A run",
  createdAt: "2024-01-02 03:04:05 UTC",
  version: "0.1.0",
  summary: [],
  metrics: [],
  originals: null,
  reconstructions: null,
  samples: null,
  decodedGrid: null,
  table: null,
  latent: null,
  activeUnits: null,
  warnings: [],
  configuration: [],
  timings: [],
};

const metrics: EpochMetrics[] = [550, 190, 120, 110, 105, 103, 101, 100].map((trainNegElbo, index) => ({
  step: 468 * (index + 1),
  epoch: index + 1,
  trainNegElbo,
  testNegElbo: index % 2 === 1 ? trainNegElbo + 0.5 : null,
  rate: 25,
  distortion: trainNegElbo - 25,
  seconds: 1.5,
  imagesPerSecond: 41234,
}));

const images = {
  rows: 2,
  columns: 2,
  height: 2,
  width: 2,
  values: Array.from({ length: 16 }, (_, index) => index / 15),
};

const full: ReportInput = {
  ...nothing,
  summary: [{ label: "test negative ELBO", value: "100.5 nats" }],
  metrics,
  originals: images,
  reconstructions: images,
  samples: images,
  decodedGrid: images,
  table: { columns: ["a", "b"], original: [[1.25, -2]], reconstructed: [[1.5, -1e-9]] },
  latent: {
    x: [0, 1, 2, 3],
    y: [3, 2, 1, 0],
    labels: [1, 0, 1, 1],
    labelNames: ["cat", "dog"],
    xName: "z1",
    yName: "z2",
  },
  activeUnits: { variances: [0.001, 0.9, 0.3], threshold: 0.01 },
  warnings: ["One of 3 latent dimensions is inactive."],
  configuration: [{ key: "optimizer", value: "adam" }],
  timings: [{ label: "training", seconds: 754 }],
};

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;
const element = (html: string, id: string) => {
  const start = html.lastIndexOf("<svg", html.indexOf(`id="${id}-title"`));
  return html.slice(start, html.indexOf("</figure>", start));
};
const embedded = (html: string) =>
  JSON.parse(/<script type="application\/json" id="ansatz-report">(.*?)<\/script>/s.exec(html)?.[1] ?? "");

describe("a report", () => {
  test.each([
    ["with everything", full],
    ["with nothing", nothing],
  ])("%s is well-formed and has no number that is not one", (_, input) => {
    const html = renderReport(input);
    expect(unbalanced(html)).toEqual([]);
    expect(count(html.replace(/<(style|script)[\s\S]*?<\/\1>/g, ""), /NaN|undefined|Infinity|\[object/g)).toBe(0);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("fetches nothing, runs nothing and forbids both", () => {
    const html = renderReport(full);
    expect(html).toContain(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`);
    expect(count(html, /https?:|\/\/[a-z]|@import|url\(|<link|javascript:|\son\w+=/g)).toBe(0);
    expect(count(html, /<script/g)).toBe(1);
    for (const [, source] of html.matchAll(/ (?:src|href)="([^"]*)"/g))
      expect(source).toMatch(/^data:image\/png;base64,/);
  });

  test("is the same text for the same input", () => {
    expect(renderReport(structuredClone(full))).toBe(renderReport(full));
  });

  test("shows a figure for each thing that it is given, and none for what it is not", () => {
    const headings = (input: ReportInput) =>
      [...renderReport(input).matchAll(/<h3>(.*?)<\/h3>/g)].map(([, text]) => text);
    expect(headings(full)).toEqual([
      "Bound",
      "Rate and distortion",
      "Originals and reconstructions",
      "Samples from the prior",
      "Originals and reconstructions",
      "Latent means",
      "Decoded grid",
      "Active units",
    ]);
    expect(headings(nothing)).toEqual([]);
    expect(headings({ ...nothing, metrics: metrics.map((row) => ({ ...row, rate: null, distortion: null })) })).toEqual(
      ["Bound"],
    );
    expect(renderReport(nothing)).toContain("No epoch was finished");
  });

  test("escapes whatever a file name, a label or a warning may hold", () => {
    const attack = `</script><script>alert("1")</script><img src=x onerror='x'>&`;
    const html = renderReport({
      ...full,
      title: attack,
      createdAt: attack,
      version: attack,
      summary: [{ label: attack, value: attack }],
      warnings: [attack],
      configuration: [{ key: attack, value: attack }],
      timings: [{ label: attack, seconds: 1 }],
      table: { columns: [attack, "b"], original: [[1, 2]], reconstructed: [[1, 2]] },
      latent: { x: [1, 2], y: [1, 2], labels: [0, 0], labelNames: [attack], xName: attack, yName: attack },
    });
    expect(count(html, /<script/g)).toBe(1);
    expect(count(html, /<img src=x/g)).toBe(0);
    expect(unbalanced(html)).toEqual([]);
    expect(html).toContain("&lt;img src=x onerror=&#39;x&#39;&gt;&amp;");
    expect(embedded(html).title).toBe(attack);
  });

  test("carries the numbers behind its figures as JSON", () => {
    const data = embedded(renderReport(full));
    expect(data.metrics).toEqual(metrics);
    expect(data.activeUnits).toEqual(full.activeUnits);
    expect(data.configuration).toEqual(full.configuration);
  });

  test("tells those who cannot see the curves where they begin, end and are lowest", () => {
    expect(renderReport(full)).toContain(
      "train: from 550.00 at epoch 1 to 100.00 at epoch 8, lowest 100.00 at epoch 8. " +
        "test: from 190.50 at epoch 2 to 100.50 at epoch 8, lowest 100.50 at epoch 8.",
    );
  });

  test("says when a bound was not finite", () => {
    const stopped = metrics.map((row, index) => (index === 3 ? { ...row, trainNegElbo: Number.NaN } : row));
    expect(renderReport({ ...nothing, metrics: stopped })).toContain("Left out because not finite: 1 value.");
    const never = metrics.map((row) => ({ ...row, trainNegElbo: Number.NaN, testNegElbo: null }));
    expect(renderReport({ ...nothing, metrics: never })).toContain("No bound of this run is finite");
  });

  test("refuses a table whose rows do not match its columns", () => {
    const table = { columns: ["a", "b"], original: [[1, 2]], reconstructed: [[1]] };
    expect(() => renderReport({ ...nothing, table })).toThrow(/each with its 2 columns/);
  });
});

describe("the curve of the bound", () => {
  test("draws what the first epochs put outside its range as arrows, says so, and offers the full range", () => {
    const html = renderReport(full);
    const bound = element(html, "bound");
    // Train at epochs 1 and 2, test at epoch 2; the full-range chart that follows in the same figure has none.
    expect(count(bound, /class="arrow"/g)).toBe(3);
    expect(bound).toContain("follows the values from epoch 3 on");
    expect(bound).toContain("The same in full range");
    expect(count(element(html, "bound-full"), /class="arrow"/g)).toBe(0);
  });

  test("answers at each epoch with the values there", () => {
    const html = renderReport(full);
    expect(html).toContain("<title>epoch 4\ntrain 110.000\ntest 110.500</title>");
    expect(html).toContain("<title>epoch 5\ntrain 105.000</title>");
  });

  test("goes by steps where several rows share an epoch", () => {
    const html = renderReport({ ...nothing, metrics: metrics.map((row) => ({ ...row, epoch: 1 })) });
    expect(html).toContain("<title>step 468\ntrain 550.000</title>");
  });
});

describe("the scatter of the latent means", () => {
  test("holds every point once, by label, in few elements", () => {
    const size = 10_000;
    const index = Array.from({ length: size }, (_, i) => i);
    const latent = {
      x: index.map((i) => Math.cos(i)),
      y: index.map((i) => Math.sin(i)),
      labels: index.map((i) => i % 10),
      labelNames: null,
      xName: "z1",
      yName: "z2",
    };
    const svg = element(renderReport({ ...nothing, latent }), "latent");
    expect(count(svg, /M\d+ \d+h0/g)).toBe(size);
    expect(count(svg, /<path class="c\d disc"/g)).toBeLessThan(200);
    expect(svg.length).toBeLessThan(200_000);
  });

  test("names each label with its colour and count", () => {
    const html = renderReport(full);
    expect(html).toMatch(/class="c0 disc"[^>]*\/><\/g><\/svg>cat \(1\)/);
    expect(html).toMatch(/class="c1 disc"[^>]*\/><\/g><\/svg>dog \(3\)/);
  });

  test("says which points it leaves out", () => {
    const x = Array.from({ length: 25_000 }, (_, index) => (index === 7 ? Number.NaN : index));
    const html = renderReport({
      ...nothing,
      latent: { x, y: x, labels: null, labelNames: null, xName: "a", yName: "b" },
    });
    expect(html).toContain("Points left out because not finite: 1. One in 3 of 24\u202f999 points is drawn.");
  });
});

describe("active units", () => {
  test("are sorted by variance and told from the inactive by the threshold", () => {
    const svg = element(renderReport(full), "units");
    const bars = [...svg.matchAll(/<rect class="(\w+)"[^>]*><title>(z\d)/g)].map(([, kind, name]) => `${name} ${kind}`);
    expect(bars).toEqual(["z2 active", "z3 active", "z1 inactive"]);
    expect(svg).toContain("2 of 3 latent dimensions are active");
  });

  test("of variance zero are drawn all the same", () => {
    const svg = element(renderReport({ ...nothing, activeUnits: { variances: [0, 0.5], threshold: 0.01 } }), "units");
    expect(count(svg, /class="inactive"[^>]*height="3"/g)).toBe(1);
  });
});
