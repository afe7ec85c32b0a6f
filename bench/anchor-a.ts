/**
 * Anchor A: NumPyro's VAE example on MNIST, 20 epochs, seeds 1, 2, 3 (or those given). Mean test negative ELBO 99.63 ± 0.6.
 *
 *     npx tsx bench/anchor-a.ts [SEED ...]
 */
import { ansatz, dataFolder } from "./command.ts";

const seeds = process.argv.length > 2 ? process.argv.slice(2) : ["1", "2", "3"];
const bounds: number[] = [];
console.log(
  "| seed | test negELBO | train negELBO | images/s | training s | whole process s | peak MiB |\n|---|---|---|---|---|---|---|",
);
for (const seed of seeds) {
  const { json, seconds, peakMiB } = await ansatz([
    ..."train --likelihood bernoulli --binarize dynamic --encoder 400 --decoder 400 --activation softplus --latent 50".split(
      " ",
    ),
    ..."--init normal:0.01 --estimator generic --optimizer adam --lr 1e-3 --batch 128 --drop-last --epochs 20".split(
      " ",
    ),
    ...["--seed", seed, "--out", `runs/anchor-a-${seed}`, "--overwrite", `${dataFolder}/mnist`],
  ]);
  bounds.push(json["testNegElbo"] as number);
  const cells = [
    seed,
    fixed(json["testNegElbo"]),
    fixed(json["trainNegElbo"]),
    Math.round(json["imagesPerSecond"] as number),
  ];
  console.log(
    `| ${[...cells, fixed(json["secondsTraining"]), fixed(seconds), peakMiB?.toFixed(0) ?? "?"].join(" | ")} |`,
  );
}
const mean = bounds.reduce((a, b) => a + b, 0) / bounds.length;
console.log(
  `\nmean test negELBO ${mean.toFixed(2)}; within 99.63 ± 0.6: ${Math.abs(mean - 99.63) <= 0.6 ? "yes" : "no"}`,
);

function fixed(value: unknown): string {
  return (value as number).toFixed(2);
}
