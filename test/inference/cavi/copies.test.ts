import { describe, expect, test } from "vitest";
import { categorical, compileLogDensity, dirichlet, model, normal, problemOf, type Tensor } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";

// A table of distinct rows and their counts is all rows: topics of documents, once by tokens and once by distinct words.
const table = [[0, 1, 3], [0, 2, 1], [1, 0, 2], [1, 2, 2], [2, 0, 1], [2, 1, 4], [2, 3, 1]] as const; // biome-ignore format: rows
const tokens = table.flatMap(([d, w, n]) => Array.from({ length: n }, () => [d, w]));
const column = (rows: readonly (readonly number[])[], j: number) => rows.map((r) => r[j]!);

interface Corpus {
  readonly document: Tensor;
  readonly word: Tensor;
  readonly count: Tensor;
}
const topics = (explicit: boolean) =>
  model(({ sample, observe, plate }, { document, word, count }: Corpus) => {
    const phi = plate("topic", 2, () => sample("phi", dirichlet([0.5, 0.5, 0.5, 0.5])));
    const theta = plate("document", 3, () => sample("theta", dirichlet([0.7, 0.7])));
    plate("entry", word.shape[0]!, { copies: count }, (i) => {
      const mine = theta.at(document.at(i));
      if (explicit) observe("w", categorical(phi.at(sample("z", categorical(mine)))), word.at(i));
      else observe("w", categorical(mine.reshape([1, 2]).matmul(phi).reshape([4])), word.at(i));
    });
  });
const counted = { document: column(table, 0), word: column(table, 1), count: column(table, 2) };
const written = { document: column(tokens, 0), word: column(tokens, 1), count: tokens.map(() => 1) };

describe("elements that stand for several alike", () => {
  test("coordinate ascent goes the same way, with and without the topics as sites", async () => {
    const fits = [];
    for (const explicit of [true, false]) {
      for (const data of [counted, written]) {
        fits.push(await cavi(topics(explicit), data, { maxSweeps: 400, tolerance: 1e-14, seed: 3 }));
      }
    }
    const [first, ...others] = fits;
    for (const other of others) {
      expect(Math.abs(other.elbo / first!.elbo - 1)).toBeLessThan(1e-9);
    }
    // Summed out, the topics need no random start: sweep by sweep it is the same.
    const [byWord, byToken] = [fits[2]!, fits[3]!];
    for (let n = 0; n < 5; n++) expect(byWord.elbos[n]).toBeCloseTo(byToken.elbos[n]!, 10);
  });

  test("the log joint with the topics summed out is that of the tokens", async () => {
    const density = async (data: typeof counted) => compileLogDensity(await problemOf(topics(true), data));
    const [byWord, byToken] = [await density(counted), await density(written)];
    const u = Float64Array.from({ length: byWord.dim }, (_, i) => Math.sin(i + 1));
    const [g, h] = [new Float64Array(byWord.dim), new Float64Array(byWord.dim)];
    expect(byWord.evaluate(u, g)).toBeCloseTo(byToken.evaluate(u, h), 10);
    for (const [i, v] of g.entries()) expect(v).toBeCloseTo(h[i]!, 10);
  });

  test("a continuous site has a value in each copy, so that one density cannot stand for them", async () => {
    const effects = model(({ sample, observe, plate }, { y, count }: { y: Tensor; count: Tensor }) => {
      plate("n", 2, { copies: count }, (i) => {
        observe("y", normal(sample("x", normal(0, 1)), 1), y.at(i));
      });
    });
    const data = { y: [1, 2], count: [3, 1] };
    // Of three with y = 1 and one with y = 2: x given y is N(y / 2, ½), and y has the variance 2.
    const fit = await cavi(effects, data);
    for (const [i, mean] of [0.5, 1].entries()) expect(fit.factors.x!.parameters.mean!.values[i]).toBeCloseTo(mean, 14);
    const evidence = (y: number) => -0.5 * Math.log(4 * Math.PI) - y ** 2 / 4;
    expect(fit.elbo).toBeCloseTo(3 * evidence(1) + evidence(2), 12);
    await expect(compileLogDensity(await problemOf(effects, data))).rejects.toThrow(
      /copies, each of which has a value/,
    );
  });
});
