import { expect, test } from "vitest";
import { digamma, lgamma } from "../../../src/base/special.ts";
import { categorical, dirichlet, full, model, type Tensor } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { svi } from "../../../src/inference/svi/svi.ts";
import { generator } from "./monte-carlo-bound.ts";

// Enough tokens that the exponentials are those of the tables, not of the tokens.
const [TOPICS, DOCUMENTS, WORDS, TOKENS] = [8, 60, 40, 7000];
const g = generator("topics");
const documents = Array.from({ length: TOKENS }, (_, i) => i % DOCUMENTS);
const words = documents.map((d) => (5 * (d % TOPICS) + g.integer(7)) % WORDS);

const lda = model(({ sample, observe, plate }, { prior, documents, words }: { prior: number; documents: Tensor; words: Tensor }) => {
  const phi = plate("topic", TOPICS, () => sample("phi", dirichlet(full(words, [WORDS], prior))));
  const theta = plate("document", DOCUMENTS, () => sample("theta", dirichlet(full(words, [TOPICS], prior))));
  plate("token", TOKENS, (i) => {
    const probs = theta.at(documents.at(i)).reshape([1, TOPICS]).matmul(phi).reshape([WORDS]);
    observe("w", categorical(probs), words.at(i));
  });
}); // biome-ignore format: short

/** Σ over rows of E log p − E log q, and E log of each element, of Dirichlet factors with a symmetric prior. */
function dirichlets(concentration: ArrayLike<number>, n: number, prior: number) {
  const logs = new Float64Array(concentration.length);
  let bound = 0;
  for (let from = 0; from < logs.length; from += n) {
    const row = Array.from({ length: n }, (_, i) => concentration[from + i]!);
    const total = row.reduce((a, b) => a + b, 0);
    bound += lgamma(n * prior) - n * lgamma(prior) - lgamma(total);
    for (const [i, a] of row.entries()) {
      logs[from + i] = digamma(a) - digamma(total);
      bound += lgamma(a) + (prior - a) * logs[from + i]!;
    }
  }
  return { logs, bound };
}

function boundOf(phi: ReturnType<typeof dirichlets>, theta: ReturnType<typeof dirichlets>): number {
  let bound = phi.bound + theta.bound;
  for (const [i, d] of documents.entries()) {
    const logits = Array.from({ length: TOPICS }, (_, k) => theta.logs[d * TOPICS + k]! + phi.logs[k * WORDS + words[i]!]!); // biome-ignore format: one line
    const top = Math.max(...logits);
    bound += top + Math.log(logits.reduce((a, l) => a + Math.exp(l - top), 0));
  }
  return bound;
}

// 1e-4: expected logarithms near −10000, whose exponentials are 0.
for (const prior of [0.3, 1e-4]) {
  test(`the bound of topics with prior concentrations ${prior} is the formula's, and each factor at its optimum`, async () => {
    const fit = await cavi(lda, { prior, documents, words }, { maxSweeps: 25, tolerance: 0 });
    const phi = dirichlets(fit.factors.phi!.parameters.concentration!.values, WORDS, prior);
    const theta = dirichlets(fit.factors.theta!.parameters.concentration!.values, TOPICS, prior);
    expect(Math.abs(fit.elbo / boundOf(phi, theta) - 1)).toBeLessThan(1e-10);
    // Each token counts once in the topics.
    const mass = fit.factors.phi!.parameters.concentration!.values.reduce((a, b) => a + b, 0);
    expect(Math.abs(mass - TOKENS - TOPICS * WORDS * prior)).toBeLessThan(1e-7);
  });
}

test("stochastic steps over documents reach the formula's bound, also where tables of exponentials would underflow", async () => {
  for (const prior of [0.3, 1e-4]) {
    const fit = await svi(lda, { prior, documents, words }, { plate: "document", batch: 30, maxEpochs: 3 });
    const phi = dirichlets(fit.factors.phi!.parameters.concentration!.values, WORDS, prior);
    const theta = dirichlets(fit.factors.theta!.parameters.concentration!.values, TOPICS, prior);
    expect(Math.abs(fit.elbo / boundOf(phi, theta) - 1)).toBeLessThan(1e-10);
  }
});

test("under sparse priors the first sweeps begin documents anew, and find the topics that plain sweeps lose", async () => {
  const topics = Array.from({ length: DOCUMENTS }, () => Array.from({ length: 3 }, () => g.integer(TOPICS)));
  const mixed = documents.map((d) => (5 * topics[d]![g.integer(3)]! + g.integer(7)) % WORDS);
  const sparse = { prior: 0.02, documents, words: mixed };
  // At given temperatures all sweeps are plain ones.
  const plain = await cavi(lda, sparse, { temperatures: [1], maxSweeps: 100 });
  const fit = await cavi(lda, sparse, { maxSweeps: 100 });
  expect(fit.elbo).toBeGreaterThan(plain.elbo + 100);
  for (let n = 16; n < fit.elbos.length; n++) {
    expect(fit.elbos[n]!).toBeGreaterThanOrEqual(fit.elbos[n - 1]! - 1e-9 * Math.abs(fit.elbo));
  }
});

test("where plain sweeps lead further, their end is kept", async () => {
  const fit = await cavi(lda, { prior: 0.02, documents, words }, { maxSweeps: 100 });
  const plain = await cavi(lda, { prior: 0.02, documents, words }, { temperatures: [1], maxSweeps: 100 });
  expect(fit.elbo).toBeGreaterThan(plain.elbo - 1);
});
