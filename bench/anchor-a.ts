/**
 * Anchor A: NumPyro's VAE example on MNIST, 20 epochs, seeds 1, 2, 3 (or those given). Mean test negative ELBO 99.63 ± 0.6 with KL in
 * closed form, which is what the reference's logs were made with: see README.md.
 *
 *     npx tsx bench/anchor-a.ts [--estimator analytic|generic] [SEED ...]
 */
import { parseArgs } from "node:util";
import { ansatz, dataFolder } from "./command.ts";

const { values: flags, positionals } = parseArgs({
  options: { estimator: { type: "string", default: "analytic" } },
  allowPositionals: true,
});
const seeds = positionals.length > 0 ? positionals : ["1", "2", "3"];
const bounds: number[] = [];
console.log(
  "| seed | test negELBO | train negELBO | images/s | training s | whole process s | peak MiB |\n|---|---|---|---|---|---|---|",
);
for (const seed of seeds) {
  const { json, seconds, peakMiB } = await ansatz([
    ..."train --likelihood bernoulli --binarize dynamic --encoder 400 --decoder 400 --activation softplus --latent 50".split(
      " ",
    ),
    ...`--init normal:0.01 --estimator ${flags.estimator} --optimizer adam --lr 1e-3 --batch 128 --drop-last --epochs 20`.split(
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
