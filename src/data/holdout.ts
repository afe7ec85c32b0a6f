import { type DataSplits, type Dataset, selectRows } from "./dataset.ts";

/**
 * Holds out a fixed random part of the rows, for data that come without a test file: round(fraction · count) rows, at
 * least one and never all, drawn by a generator with a fixed seed, so that the same file always splits alike. Both
 * parts keep the order of the file, and `sourceRows` says where a row stood.
 *
 * @param fraction  between 0 (nothing is held out) and 1
 */
export function holdOut(data: Dataset, fraction: number): DataSplits {
  const wanted = fraction <= 0 ? 0 : Math.max(1, Math.round(fraction * data.count));
  const testCount = Math.min(wanted, data.count - 1);
  if (testCount <= 0) return { train: { ...data, name: `${data.name}/train` }, test: null };
  const rows = Int32Array.from({ length: data.count }, (_, row) => row);
  const next = randomBits(0x9e3779b9);
  // Fisher-Yates, stopped when the first `testCount` places are drawn.
  for (let i = 0; i < testCount; i++) {
    const j = i + Math.floor((next() / 2 ** 32) * (data.count - i));
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
  return {
    train: selectRows(data, rows.subarray(testCount).sort(), `${data.name}/train`),
    test: selectRows(data, rows.subarray(0, testCount).sort(), `${data.name}/test`),
  };
}

/** Marsaglia's xorshift32 (2003, triple 13, 17, 5): enough to split rows, and the same in every JavaScript engine. */
function randomBits(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
