/**
 * Writes one posterior in every format that other programs read: `npx tsx scripts/write-exports.ts FOLDER`, then
 * `python3 scripts/check-exports.py FOLDER`, which opens them with those programs.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawsOf } from "../src/posterior/draws.ts";
import { inferenceData } from "../src/posterior/inference-data.ts";
import { toParquet } from "../src/posterior/parquet.ts";
import { savePosterior } from "../src/posterior/saved-posterior.ts";
import { stanCsv } from "../src/posterior/stan-csv.ts";
import { zipFiles } from "../src/posterior/zip.ts";
import { writeFileTree } from "../src/record/file-tree.ts";

const folder = process.argv[2];
if (folder === undefined) throw new Error("say which folder to write to: npx tsx scripts/write-exports.ts FOLDER");
mkdirSync(folder, { recursive: true });

const chains = 3;
const draws = 20;
const values = (count: number, phase: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + phase) * 10);
const posterior = drawsOf(chains, draws, {
  mu: { shape: [], values: values(60, 1) },
  theta: { shape: [4], values: values(240, 2) },
  a: { shape: [2, 3], values: values(360, 3) },
});
const sampleStats = {
  logDensity: values(60, 5),
  energy: values(60, 6),
  stepSize: new Float64Array(60).fill(0.3),
  acceptance: values(60, 8),
  depth: new Uint8Array(60).fill(3),
  leapfrogs: new Uint32Array(60).fill(7),
  divergent: Uint8Array.from({ length: 60 }, (_, i) => +(i % 7 === 0)),
};
const content = {
  posterior,
  sampleStats,
  logLikelihood: drawsOf(chains, draws, { y: { shape: [4], values: values(240, 9) } }),
  posteriorPredictive: drawsOf(chains, draws, { y: { shape: [4], values: values(240, 10) } }),
  observedData: { y: { shape: [4], values: [1, 2, 3.5, 4] } },
};
const options = {
  dims: { theta: ["school"], y: ["school"] },
  coords: { school: ["A", "Bé", "C", "Dddd"] },
  attributes: { seed: 7, method: "nuts" },
};
writeFileTree(join(folder, "plain.zarr"), inferenceData(content, options));
writeFileTree(join(folder, "zlib.zarr"), inferenceData(content, { ...options, compress: true }));
writeFileSync(join(folder, "store.zarr.zip"), await zipFiles(inferenceData(content, options)));
writeFileTree(join(folder, "stan"), stanCsv(posterior, sampleStats, { seed: 7, model: "eight" }));
writeFileTree(join(folder, "stan-without-stats"), stanCsv(posterior, {}, { model: "eight" }));
writeFileSync(join(folder, "draws.parquet"), await toParquet(posterior, sampleStats));
writeFileSync(
  join(folder, "posterior.safetensors"),
  savePosterior({ method: "nuts", seed: 7, versions: {}, certificate: null, draws: posterior, stats: sampleStats }),
);
writeFileSync(
  join(folder, "expected.json"),
  JSON.stringify(posterior, (_, value) => (value instanceof Float64Array ? Array.from(value) : value)),
);
