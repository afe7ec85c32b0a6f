/** The Associated Press corpus, and the split that all are scored on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { dataFolder } from "../command.ts";

/** Distinct words of one document and how often they stand in it. */
export interface Document {
  readonly words: readonly number[];
  readonly counts: readonly number[];
}

export interface Corpus {
  readonly vocabulary: number;
  readonly fitted: readonly Document[];
  /** Of every tenth document its even tokens, from which its topics are inferred, and its odd ones, which are scored. */
  readonly heldOut: readonly { readonly given: Document; readonly scored: Document }[];
}

export const apFile = join(dataFolder, "corpora/ap/ap.dat.gz");

function documentOf(tokens: readonly number[]): Document {
  const counts = new Map<number, number>();
  for (const w of tokens) counts.set(w, (counts.get(w) ?? 0) + 1);
  return { words: [...counts.keys()], counts: [...counts.values()] };
}

/** `most`: only the first documents, for a quick look. */
export function apCorpus(most = Number.POSITIVE_INFINITY): Corpus {
  const documents = gunzipSync(readFileSync(apFile)).toString().trim().split("\n").slice(0, most);
  const fitted: Document[] = [];
  const heldOut: { given: Document; scored: Document }[] = [];
  let vocabulary = 0;
  for (const [d, line] of documents.entries()) {
    const pairs = line.split(" ").slice(1).map((pair) => pair.split(":").map(Number) as [number, number]); // biome-ignore format: one line
    for (const [word] of pairs) vocabulary = Math.max(vocabulary, word + 1);
    const tokens = pairs.flatMap(([word, count]) => Array<number>(count).fill(word));
    if (d % 10 !== 9) fitted.push(documentOf(tokens));
    else {
      const half = (parity: number) => documentOf(tokens.filter((_, i) => i % 2 === parity));
      heldOut.push({ given: half(0), scored: half(1) });
    }
  }
  return { vocabulary, fitted, heldOut };
}

/** One row for each distinct word of each document. */
export const entriesOf = (documents: readonly Document[]) => ({
  document: documents.flatMap(({ words }, d) => words.map(() => d)),
  word: documents.flatMap(({ words }) => words),
  count: documents.flatMap(({ counts }) => counts),
});
