/**
 * One decoder under {free, amortized} × {diagonal, full} q(z_i): how far each bound lies below log p(x), on the bundled digits. The
 * first decoder is linear (probabilistic PCA), where log p(x) and the best of each form are known exactly; the second is a network.
 * Prints both tables and writes them as a figure.
 *
 *     npx tsx bench/amortization.ts [--epochs 150] [--free 1000] [--images 600] [--out bench/amortization]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { bernoulli, model, normal, type Tensor } from "ansatz";
import { positive } from "../src/constraints/support.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { digits } from "../src/data/digits.ts";
import { Runtime } from "../src/engine/runtime.ts";
import { type AmortizeOptions, amortize } from "../src/inference/amortize.ts";
import type { AmortizedFit } from "../src/inference/amortized-fit.ts";
import { glorotLayers, normalLayers } from "../src/nn/initialiser.ts";
import { mlp } from "../src/nn/mlp.ts";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "150" },
    free: { type: "string", default: "1000" },
    images: { type: "string", default: "600" },
    out: { type: "string", default: "bench/amortization" },
  },
});
const [epochs, freeEpochs, images] = [Number(values.epochs), Number(values.free), Number(values.images)];
const runtime = new Runtime({ blas: null });
const { train, test } = (await digits()) as { train: Dataset; test: Dataset };
const rowsOf = (set: Dataset, most: number, value: (byte: number) => number): number[][] =>
  Array.from({ length: Math.min(set.count, most) }, (_, i) =>
    Array.from(set.values.subarray(64 * i, 64 * (i + 1)), value),
  );

interface Row {
  readonly q: "diagonal" | "full";
  readonly kind: "free" | "amortized";
  /** Mean negative ELBO on the training images, and its distance from −log p(x). */
  readonly negElbo: number;
  readonly gap: number;
  /** The same distance on images that the encoder has not seen. */
  readonly testGap: number;
  readonly seconds: number;
}

interface Case {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly note: string;
}

type Options = Omit<AmortizeOptions, "plate" | "encoder" | "q">;

/** Four q under the parameters of a fit, against −log p(x) of both sets. */
async function fourFamilies(
  text: ReturnType<typeof model>,
  given: AmortizedFit,
  sets: { readonly train: object; readonly test: object },
  encoder: AmortizeOptions["encoder"],
  options: { readonly amortized: Options; readonly free: Options },
  exact: (set: "train" | "test", free: AmortizedFit) => Promise<number> | number,
): Promise<Row[]> {
  const mean = async (fit: AmortizedFit, data?: object) => (await fit.score(data as never, { draws: 400 })).mean;
  const learn = (data: object, q: Row["q"], own: AmortizeOptions["encoder"], more: Options) =>
    amortize(text, data as never, { plate: "example", runtime, given, q, encoder: own, ...more });
  const rows: Row[] = [];
  const truth: Record<string, number> = {};
  for (const q of ["full", "diagonal"] as const) {
    let started = performance.now();
    const free = await learn(sets.train, q, null, options.free);
    let seconds = (performance.now() - started) / 1000;
    const freeTest = await learn(sets.test, q, null, options.free);
    truth.train ??= await exact("train", free);
    truth.test ??= await exact("test", freeTest);
    const negElbo = await mean(free);
    const row = { q, kind: "free", negElbo, gap: negElbo - truth.train, testGap: (await mean(freeTest)) - truth.test, seconds } as const; // biome-ignore format: one row
    started = performance.now();
    const network = await learn(sets.train, q, encoder, options.amortized);
    seconds = (performance.now() - started) / 1000;
    const own = await mean(network);
    rows.push(row, { q, kind: "amortized", negElbo: own, gap: own - truth.train, testGap: (await mean(network, sets.test)) - truth.test, seconds }); // biome-ignore format: one row
  }
  return rows.sort((a, b) => a.q.localeCompare(b.q) || b.kind.localeCompare(a.kind));
}

/** Lower Cholesky factor, row-major. */
function cholesky(a: Float64Array, n: number): Float64Array {
  const l = a.slice();
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = l[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!;
    }
  }
  return l;
}

async function linearCase(): Promise<Case> {
  const latent = 6;
  const text = model(({ plate, sample, observe, param }, { x }: { x: Tensor }) => {
    const width = x.shape[1]!;
    const W = param("W", { shape: [latent, width], initialise: normalLayers(0.3).weight });
    const b = param("b", { shape: [width] });
    const sd = param("sd", { support: positive, initial: 1 });
    plate("example", x.shape[0]!, (i) => {
      const z = sample("z", normal(0, 1), [latent]);
      observe("x", normal(z.reshape([1, latent]).matmul(W).reshape([width]).add(b), sd), x.at(i));
    });
  });
  // Around their mean, or an encoder's layer would be ill conditioned.
  const raw = { train: rowsOf(train, images, (v) => v / 4), test: rowsOf(test, images, (v) => v / 4) };
  const centre = Array.from({ length: 64 }, (_, j) =>
    raw.train.reduce((sum, row) => sum + row[j]! / raw.train.length, 0),
  );
  const centred = (rows: readonly number[][]) => ({ x: rows.map((row) => row.map((v, j) => v - centre[j]!)) });
  const sets = { train: centred(raw.train), test: centred(raw.test) };
  const encoder = { hidden: [] };
  const amortized = { epochs: 8 * epochs, learningRate: 0.02, draws: 4 };
  const given = await amortize(text, sets.train, { plate: "example", runtime, encoder, q: "full", ...amortized });
  const { W, b, sd } = await given.parameters();
  const s = sd!.values[0]! ** 2;
  const D = 64;
  const covariance = Float64Array.from({ length: D * D }, (_, at) => {
    const [i, j] = [Math.floor(at / D), at % D];
    let sum = i === j ? s : 0;
    for (let k = 0; k < latent; k++) sum += W!.values[k * D + i]! * W!.values[k * D + j]!;
    return sum;
  });
  const L = cholesky(covariance, D);
  const negLogProb = (row: readonly number[]): number => {
    let total = 0.5 * D * Math.log(2 * Math.PI);
    const y = new Float64Array(D);
    for (let i = 0; i < D; i++) {
      let left = row[i]! - b!.values[i]!;
      for (let k = 0; k < i; k++) left -= L[i * D + k]! * y[k]!;
      y[i] = left / L[i * D + i]!;
      total += 0.5 * y[i]! ** 2 + Math.log(L[i * D + i]!);
    }
    return total;
  };
  const exact = (set: "train" | "test") =>
    sets[set].x.reduce((sum, row) => sum + negLogProb(row), 0) / sets[set].x.length;
  // Precision of the posterior: I + W Wᵀ / s. The best independent Gaussians lose ½ (Σ log Λ_jj − log det Λ).
  const precision = Float64Array.from({ length: latent ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / latent), at % latent];
    let sum = 0;
    for (let k = 0; k < D; k++) sum += W!.values[i * D + k]! * W!.values[j * D + k]!;
    return sum / s + (i === j ? 1 : 0);
  });
  const factor = cholesky(precision, latent);
  let lost = 0;
  for (let j = 0; j < latent; j++) {
    lost += 0.5 * Math.log(precision[j * latent + j]!) - Math.log(factor[j * latent + j]!);
  }
  const free = { epochs: 2 * freeEpochs, learningRate: 0.05, draws: 16, batch: images };
  const rows = await fourFamilies(text as never, given, sets, encoder, { amortized, free }, exact);
  return {
    title: `linear decoder (probabilistic PCA, ${latent} latent dimensions)`,
    rows,
    note: `−log p(x) = ${exact("train").toFixed(3)} exactly; of the posterior's form full loses 0, diagonal ${lost.toFixed(3)}`,
  };
}

async function networkCase(): Promise<Case> {
  const latent = 4;
  const decoder = mlp({
    name: "decoder",
    inputs: latent,
    hidden: [64],
    heads: { logits: 64 },
    activation: "tanh",
    initialiser: glorotLayers,
  });
  const text = model(({ plate, sample, observe, param }, { x }: { x: Tensor }) => {
    const theta = Object.fromEntries(decoder.specs.map(({ name, ...spec }) => [name, param(name, spec)]));
    plate("example", x.shape[0]!, (i) => {
      const z = sample("z", normal(0, 1), [latent]);
      observe("x", bernoulli({ logits: decoder.apply(theta, z).logits! }), x.at(i));
    });
  });
  const binary = (v: number) => (v > 7 ? 1 : 0);
  const sets = { train: { x: rowsOf(train, images, binary) }, test: { x: rowsOf(test, images, binary) } };
  const encoder = { hidden: [128], activation: "tanh" } as const;
  const amortized = { epochs: 4 * epochs, learningRate: 0.003, draws: 2, dtype: "f32" } as const;
  const given = await amortize(text, sets.train, { plate: "example", runtime, encoder, ...amortized });
  const free = { epochs: freeEpochs, learningRate: 0.05, draws: 4, batch: images, dtype: "f32" } as const;
  const exact = async (_set: "train" | "test", fit: AmortizedFit) =>
    -(await fit.logLikelihood(undefined, { samples: 2000 })).mean;
  const rows = await fourFamilies(text as never, given, sets, encoder, { amortized, free }, exact);
  return {
    title: `network decoder (${latent}-64-64, Bernoulli)`,
    rows,
    note: `−log p(x) = ${(rows[0]!.negElbo - rows[0]!.gap).toFixed(3)} by 2,000 importance samples from the free full q`,
  };
}

function table({ title, rows, note }: Case): string {
  const lines = rows.map(
    ({ q, kind, negElbo, gap, testGap, seconds }) =>
      `| ${kind} | ${q} | ${negElbo.toFixed(3)} | ${gap.toFixed(3)} | ${testGap.toFixed(3)} | ${seconds.toFixed(1)} |`,
  );
  return [
    `${title}; ${note}`,
    "",
    "| q(z_i) | covariance | negELBO | above −log p(x) | on test images | seconds |",
    "|---|---|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

/** A bar for each q: how many nats it lies above −log p(x), on training and on test images. */
function figure(cases: readonly Case[]): string {
  const [width, height, left, top] = [360, 260, 54, 46];
  const shown = (v: number) => v.toFixed(v < 0.1 ? 3 : 2);
  const panels = cases.map(({ title, rows }, panel) => {
    const most = Math.max(...rows.map((r) => Math.max(r.gap, r.testGap))) * 1.15;
    const y = (v: number) => top + (height - top - 54) * (1 - Math.max(0, v) / most);
    const base = y(0);
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((t) => {
      const v = (t * most) / 1.15;
      return `<line x1="${left}" x2="${width - 10}" y1="${y(v)}" y2="${y(v)}" stroke="#ddd"/><text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${shown(v)}</text>`;
    });
    const bars = rows.map(({ q, kind, gap, testGap }, i) => {
      const x = left + 10 + i * 72;
      const bar = (v: number, dx: number, fill: string) =>
        `<rect x="${x + dx}" y="${y(v)}" width="26" height="${(base - y(v)).toFixed(1)}" fill="${fill}"/><text x="${x + dx + 13}" y="${y(v) - 4}" text-anchor="middle" font-size="9">${shown(v)}</text>`;
      return `${bar(gap, 0, "#1f6f8b")}${bar(testGap, 28, "#e08e45")}<text x="${x + 27}" y="${base + 15}" text-anchor="middle">${kind}</text><text x="${x + 27}" y="${base + 28}" text-anchor="middle">${q}</text>`;
    });
    const heading = `<text x="${left}" y="18" font-weight="bold">${title}</text><text x="${left}" y="33">nats above −log p(x): <tspan fill="#1f6f8b">training</tspan>, <tspan fill="#e08e45">test</tspan> images</text>`;
    return `<g transform="translate(${panel * width} 0)">${heading}${ticks.join("")}${bars.join("")}</g>`;
  });
  const style = "font: 11px system-ui, sans-serif; fill: #222";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * cases.length} ${height}"><title>Nats above −log p(x) by q: free or amortized, diagonal or full</title><style>text { ${style} }</style><rect width="100%" height="100%" fill="#fff"/>${panels.join("")}</svg>\n`;
}

const cases = [await linearCase(), await networkCase()];
console.log(cases.map(table).join("\n"));
writeFileSync(`${values.out}.svg`, figure(cases));
console.log(`figure: ${values.out}.svg`);
