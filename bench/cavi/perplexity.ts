/** What fitted topics say of documents that were not fitted: plain loops, the same for all who fit. */
import { digamma } from "../../src/base/special.ts";
import type { Corpus, Document } from "./ap-corpus.ts";

/** Expected log probabilities under a Dirichlet. */
function expectedLogs(concentration: Float64Array): Float64Array {
  const total = digamma(concentration.reduce((a, b) => a + b, 0));
  return concentration.map((a) => digamma(a) - total);
}

/** q(θ) of a document given the topics: coordinate ascent with the topics of its words until it stands still. */
function topicsOf({ words, counts }: Document, expLogPhi: readonly Float64Array[], alpha: number): Float64Array {
  const K = expLogPhi.length;
  let gamma = new Float64Array(K).fill(alpha + counts.reduce((a, b) => a + b, 0) / K);
  for (let sweep = 0; sweep < 1000; sweep++) {
    const weight = expectedLogs(gamma).map(Math.exp);
    const next = new Float64Array(K).fill(alpha);
    for (const [i, w] of words.entries()) {
      const all = expLogPhi.reduce((sum, phi, k) => sum + weight[k]! * phi[w]!, 0);
      for (let k = 0; k < K; k++) next[k]! += (counts[i]! * weight[k]! * expLogPhi[k]![w]!) / all;
    }
    const moved = next.reduce((sum, x, k) => sum + Math.abs(x - gamma[k]!), 0) / K;
    gamma = next;
    if (moved < 1e-6) break;
  }
  return gamma;
}

/**
 * exp of the negative mean log predictive probability of the scored tokens, Σ_k E θ_k E φ_kw each.
 *
 * @param concentration  of the topics' Dirichlet factors, [topics, vocabulary]
 * @param alpha          of the documents' prior
 */
export function perplexity({ vocabulary, heldOut }: Corpus, concentration: Float64Array, alpha: number): number {
  const K = concentration.length / vocabulary;
  const rows = Array.from({ length: K }, (_, k) => concentration.subarray(k * vocabulary, (k + 1) * vocabulary));
  const expLogPhi = rows.map((row) => expectedLogs(row).map(Math.exp));
  const meanPhi = rows.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((x) => x / total);
  });
  let [log, tokens] = [0, 0];
  for (const { given, scored } of heldOut) {
    const gamma = topicsOf(given, expLogPhi, alpha);
    const total = gamma.reduce((a, b) => a + b, 0);
    for (const [i, w] of scored.words.entries()) {
      const p = meanPhi.reduce((sum, phi, k) => sum + (gamma[k]! / total) * phi[w]!, 0);
      log += scored.counts[i]! * Math.log(p);
      tokens += scored.counts[i]!;
    }
  }
  return Math.exp(-log / tokens);
}
