/**
 * Process start to the first finished training step (784-500-20-500-784's layers on the bundled digits, 8 × 8), a whole one-epoch command,
 * and reading MNIST. Medians; build first (`npm run build`).
 *
 *     npx tsx bench/startup.ts [RUNS]
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { loadData } from "../src/data/files.ts";
import { dataFolder, median } from "./command.ts";

const runs = Number(process.argv[2] ?? 11);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const spread = (values: readonly number[]) =>
  `median ${median(values).toFixed(0)} ms (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}, ${values.length} runs)`;

const firstStep: number[] = [];
const command: number[] = [];
for (let run = 0; run < runs; run++) {
  firstStep.push(Number(execFileSync(process.execPath, [here("first-step.mjs")], { encoding: "utf8" })));
  const started = performance.now();
  const args = [
    here("../bin/ansatz.js"),
    "train",
    "digits",
    "--epochs",
    "1",
    "--out",
    here("../runs/startup"),
    "--overwrite",
    "--json",
  ];
  execFileSync(process.execPath, args, { stdio: "ignore" });
  command.push(performance.now() - started);
}
console.log(`process start to first finished step: ${spread(firstStep)}`);
console.log(`ansatz train digits --epochs 1, whole process with report: ${spread(command)}`);

const reading: number[] = [];
for (let run = 0; run < Math.min(runs, 5); run++) {
  const started = performance.now();
  await loadData(`${dataFolder}/mnist`);
  reading.push(performance.now() - started);
}
console.log(`reading MNIST (70,000 images, gzip): ${spread(reading)}`);
