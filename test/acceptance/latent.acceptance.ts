import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ansatz } from "../../bench/command.ts";
import { hasMnist, mnist } from "./mnist.ts";

const epochs = 3;

// Kingma and Welling 2014, figure 2, at a fiftieth of its 10^7 images: bench/latent-dimensions.ts does the whole of it.
describe.runIf(hasMnist)(`the AEVB paper's network on MNIST, Adagrad, ${epochs} epochs`, () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ansatz-latent-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("the test bound falls with the latent dimensions: 3, 5, 10", async () => {
    const bounds: number[] = [];
    for (const latent of [3, 5, 10]) {
      const words =
        "--likelihood bernoulli --binarize dynamic --encoder 500 --decoder 500 --activation tanh --init normal:0.01 " +
        `--estimator analytic --optimizer adagrad --lr 0.02 --batch 100 --epochs ${epochs} --seed 1 --latent ${latent}`;
      const { json } = await ansatz(["train", mnist, ...words.split(" "), "--out", join(folder, `z${latent}`)]);
      bounds.push(json["testNegElbo"] as number);
      console.log(`${latent} latent dimensions: test negative ELBO ${bounds.at(-1)!.toFixed(2)}`);
    }
    const [three, five, ten] = bounds as [number, number, number];
    expect(three).toBeGreaterThan(five);
    expect(five).toBeGreaterThan(ten);
    // Independent pixels take 206 nats: a model that learned nothing does not pass by chance.
    expect(three).toBeLessThan(180);
  });
});
