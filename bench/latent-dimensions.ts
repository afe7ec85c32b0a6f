/**
 * The AEVB paper's network (Kingma and Welling 2014, figure 2): 784-500-z-500-784, tanh, batches of 100, 1e7 images, with Adagrad and
 * with Adam, for several latent dimensions. Prints the table and writes the curves as SVG.
 *
 *     npx tsx bench/latent-dimensions.ts [--images 1e7] [--latents 3,5,10,20,200] [--optimizers adagrad,adam] [--out bench/latent-dimensions]
 *
 * A run in runs/ that is done is not made again, so what was interrupted goes on with the next fit.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ansatz, dataFolder } from "./command.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string", default: "1e7" },
    latents: { type: "string", default: "3,5,10,20,200" },
    optimizers: { type: "string", default: "adagrad,adam" },
    out: { type: "string", default: "bench/latent-dimensions" },
  },
});
const epochs = Math.round(Number(values.images) / 60_000);
// The paper chose Adagrad's step size among 0.01, 0.02 and 0.1 by the first iterations on the training set: 0.01 is best after six epochs
// (of z = 20 and 200, from Glorot's weights and from N(0, 0.01)). From the paper's N(0, 0.01) 200 dimensions say too much at first: Adagrad's
// steps on them have shrunk before all are shut off, and they end 3 nats behind.
const settings: Record<string, string> = {
  adagrad: "--lr 0.01 --init glorot",
  adam: "--lr 0.0005 --init normal:0.01",
};

interface Curve {
  readonly name: string;
  readonly optimizer: string;
  readonly points: readonly { readonly images: number; readonly bound: number }[];
}
const curves: Curve[] = [];
console.log(`${epochs} epochs of 60,000 images\n`);
console.log(
  "| optimizer | latent | test negELBO | least on the way | above it | train negELBO |\n|---|---|---|---|---|---|",
);
for (const optimizer of values.optimizers.split(",")) {
  for (const latent of values.latents.split(",")) {
    const run = `runs/latent-${optimizer}-${latent}`;
    const json = finished(run) ?? (await train(latent, optimizer, run));
    const rows = readFileSync(`${run}/metrics.jsonl`, "utf8").trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: short
    const points = rows
      .filter((row) => typeof row.testNegElbo === "number")
      .map((row) => ({ images: row.epoch * 60_000, bound: row.testNegElbo as number }));
    curves.push({ name: `z = ${latent}`, optimizer, points });
    const least = Math.min(...points.map((p) => p.bound));
    const last = json["testNegElbo"] as number;
    const cells = [optimizer, latent, last.toFixed(2), least.toFixed(2), (last - least).toFixed(2)];
    console.log(`| ${[...cells, (json["trainNegElbo"] as number).toFixed(2)].join(" | ")} |`);
  }
}
writeFileSync(`${values.out}.json`, JSON.stringify(curves));
writeFileSync(`${values.out}.svg`, plot(curves));

/** The result of a run that was made to its end with as many epochs. */
function finished(run: string): Record<string, unknown> | null {
  if (!existsSync(`${run}/manifest.json`)) return null;
  const { status, result } = JSON.parse(readFileSync(`${run}/manifest.json`, "utf8"));
  return status === "done" && result.epochs === epochs ? result : null;
}

async function train(latent: string, optimizer: string, run: string): Promise<Record<string, unknown>> {
  const network = "--likelihood bernoulli --binarize dynamic --encoder 500 --decoder 500 --activation tanh";
  const fit = `--estimator analytic --optimizer ${optimizer} ${settings[optimizer]} --batch 100 --epochs ${epochs} --seed 1`;
  const words = `--latent ${latent} ${network} ${fit} --out ${run} --overwrite`;
  return (await ansatz(["train", `${dataFolder}/mnist`, ...words.split(" ")])).json;
}

/** Bound against images seen, on a logarithmic axis as in the paper: one panel an optimizer. */
function plot(all: readonly Curve[]): string {
  const [width, height, left, top] = [420, 320, 52, 30];
  const optimizers = [...new Set(all.map((c) => c.optimizer))];
  const names = [...new Set(all.map((c) => c.name))];
  const colours = ["#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759"];
  const first = Math.min(...all.flatMap((c) => c.points.map((p) => p.images)));
  const last = Math.max(...all.flatMap((c) => c.points.map((p) => p.images)));
  const [low, high] = [90, 160];
  const x = (images: number) => left + ((width - left - 20) * Math.log(images / first)) / Math.log(last / first);
  const y = (bound: number) => top + ((height - top - 40) * (Math.min(bound, high) - low)) / (high - low);
  const panels = optimizers.map((optimizer, i) => {
    const lines = all.filter((c) => c.optimizer === optimizer);
    const paths = lines.map((c) => {
      const k = names.indexOf(c.name);
      const d = c.points.map((p, j) => `${j ? "L" : "M"}${x(p.images).toFixed(1)} ${y(p.bound).toFixed(1)}`).join("");
      const label = `<text x="${left + 10}" y="${top + 16 + 15 * k}" fill="${colours[k % 5]}">${c.name}</text>`;
      return `<path d="${d}" fill="none" stroke="${colours[k % 5]}" stroke-width="1.6"/>${label}`;
    });
    const grid = [90, 100, 110, 120, 130, 140, 150, 160].map(
      (b) =>
        `<path d="M${left} ${y(b)}H${width - 20}" stroke="#ddd"/><text x="${left - 6}" y="${y(b) + 4}" text-anchor="end">−${b}</text>`,
    );
    const decades = [1e5, 1e6, 1e7].filter((n) => n >= first && n <= last * 1.01);
    const ticks = decades.map(
      (n) => `<text x="${x(n)}" y="${height - 22}" text-anchor="middle">10${"⁵⁶⁷"[Math.log10(n) - 5]}</text>`,
    );
    const title = `<text x="${left}" y="18" font-weight="bold">${optimizer}: test ELBO (nats) against images seen</text>`;
    return `<g transform="translate(${i * width} 0)">${grid.join("")}${ticks.join("")}${paths.join("")}${title}</g>`;
  });
  const size = `width="${width * optimizers.length}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12"><title>Test ELBO against images seen, by latent dimensions</title><rect ${size} fill="#fff"/>${panels.join("")}</svg>\n`;
}
