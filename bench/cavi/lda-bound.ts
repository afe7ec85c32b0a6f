/** The evidence lower bound of fitted topics, each document's factor at its optimum: plain loops, whoever fitted them. */
import { digamma, lgamma } from "../../src/base/special.ts";
import type { Document } from "./ap-corpus.ts";

const sum = (x: Float64Array): number => x.reduce((a, b) => a + b, 0);

/** E log p(x) − E log q(x) of a symmetric Dirichlet prior and a Dirichlet factor. */
function fromPrior(concentration: Float64Array, prior: number): number {
  const total = sum(concentration);
  const n = concentration.length;
  let value = lgamma(n * prior) - n * lgamma(prior) - lgamma(total);
  for (const a of concentration) value += lgamma(a) + (prior - a) * (digamma(a) - digamma(total));
  return value;
}

/**
 * In nats; the topics of tokens are at their optimum too.
 *
 * @param concentration  of the topics' Dirichlet factors, [topics, vocabulary]
 */
export function boundOf(
  documents: readonly Document[],
  concentration: Float64Array,
  { alpha, eta, topics = 50 }: { readonly alpha: number; readonly eta: number; readonly topics?: number },
): number {
  const words = concentration.length / topics;
  const weights = new Float64Array(concentration.length);
  let bound = 0;
  for (let k = 0; k < topics; k++) {
    const row = concentration.subarray(k * words, (k + 1) * words);
    const total = digamma(sum(row));
    // By word, so that one document's lie together.
    for (const [w, a] of row.entries()) weights[w * topics + k] = Math.exp(digamma(a) - total);
    bound += fromPrior(row, eta);
  }
  const own = new Float64Array(topics);
  for (const { words: list, counts } of documents) {
    let gamma = new Float64Array(topics).fill(alpha + counts.reduce((a, b) => a + b, 0) / topics);
    let likelihood = 0;
    for (let sweep = 0; sweep < 300; sweep++) {
      const total = digamma(sum(gamma));
      for (let k = 0; k < topics; k++) own[k] = Math.exp(digamma(gamma[k]!) - total);
      const next = new Float64Array(topics);
      likelihood = 0;
      for (const [i, w] of list.entries()) {
        let all = 0;
        for (let k = 0; k < topics; k++) all += own[k]! * weights[w * topics + k]!;
        likelihood += counts[i]! * Math.log(all);
        for (let k = 0; k < topics; k++) next[k]! += (counts[i]! * weights[w * topics + k]!) / all;
      }
      let moved = 0;
      const before = gamma;
      for (let k = 0; k < topics; k++) {
        next[k] = alpha + own[k]! * next[k]!;
        moved += Math.abs(next[k]! - before[k]!);
      }
      if (moved / topics < 1e-5) break;
      gamma = next;
    }
    bound += likelihood + fromPrior(gamma, alpha);
  }
  return bound;
}
