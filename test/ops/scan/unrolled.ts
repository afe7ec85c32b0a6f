import { concat, full, narrow, reshape } from "../../../src/tensor/functions.ts";
import type { ScanOptions, ScanResult, ScanStep, scan } from "../../../src/tensor/scan.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { leavesOf, rebuildTree, type Tree } from "../../../src/tensor/tree.ts";

/** The signature of `scan`, for what may stand in its place. */
export type Scan = typeof scan;

/** What `scan` means: the step written out once a row. */
export const unrolled: Scan = <C extends Tree, X extends Tree | undefined, Y extends Tree | undefined>(
  { carry: start, xs, length, reverse = false }: ScanOptions<C, X>,
  step: (carry: C, x: X, t: Tensor) => ScanStep<C, Y>,
): ScanResult<C, Y> => {
  const rows = leavesOf(xs, "");
  const n = length ?? rows[0]!.tensor.shape[0]!;
  const like = leavesOf(start, "")[0]!.tensor;
  let carry = start;
  const results: Y[] = new Array(n);
  for (let i = 0; i < n; i++) {
    const t = reverse ? n - 1 - i : i;
    const row = rows.map(({ tensor }) => reshape(narrow(tensor, 0, t, 1), tensor.shape.slice(1)));
    const made = step(carry, rebuildTree(xs as X, row), full(like, [], t, "i32"));
    carry = made.carry;
    results[t] = made.y as Y;
  }
  const lists = results.map((y) => leavesOf(y, "").map((leaf) => leaf.tensor));
  const stacked = (lists[0] ?? []).map((_, i) => concat(lists.map((l) => reshape(l[i]!, [1, ...l[i]!.shape])), 0)); // biome-ignore format: short
  return { carry, ys: rebuildTree(results[0] as Y, stacked), steps: full(like, [], n) };
};
