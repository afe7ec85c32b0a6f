import type { Node } from "../../ir/node.ts";
import { opRow } from "../../ops/table.ts";
import { full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Ops whose value at numbers is the same on every machine; the two transcendental ones by arithmetic alone. */
const EXACT = new Set([
  "neg",
  "abs",
  "sqrt",
  "add",
  "sub",
  "mul",
  "div",
  "minimum",
  "maximum",
  "lt",
  "le",
  "gt",
  "ge",
  "select",
]);
const ARITHMETIC: Readonly<Record<string, (x: number) => number>> = { log, lgamma };

/**
 * The tensor as one number, computed now, where it is made of numbers alone; else as it is. The terms of a log density
 * that depend on constant parameters, like log sd of normal(0, 5), then cost nothing when the compiled program runs.
 */
export function settled(x: Tensor): Tensor {
  const value = valueOf(x.node, new Map());
  return value === null ? x : full(x, x.shape, value);
}

function valueOf(node: Node, known: Map<Node, number | null>): number | null {
  const found = known.get(node);
  if (found !== undefined) return found;
  const value = evaluated(node, known);
  known.set(node, value);
  return value;
}

function evaluated(node: Node, known: Map<Node, number | null>): number | null {
  if (node.op === "const") return node.attrs.value as number;
  const arithmetic = ARITHMETIC[node.op];
  if (node.dtype !== "f64" && node.dtype !== "bool") return null;
  if (!arithmetic && !EXACT.has(node.op) && node.op !== "broadcast" && node.op !== "reshape") return null;
  const args: number[] = [];
  for (const input of node.inputs) {
    const value = valueOf(input, known);
    if (value === null) return null;
    args.push(value);
  }
  if (arithmetic) return arithmetic(args[0]!);
  if (node.op === "broadcast" || node.op === "reshape") return args[0]!;
  return opRow(node.op).evaluate(args.map((v) => Float64Array.of(v)), { ...node, shape: [] })[0]!; // biome-ignore format: short
}

/** log x = n log 2 + 2 artanh s, s = (m − 1) / (m + 1), x = 2ⁿ m with m from √½ to √2. */
function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x === Infinity ? x : Number.NaN;
  let [m, n] = [x, 0];
  for (; m > Math.SQRT2; m /= 2) n++;
  for (; m < Math.SQRT1_2; m *= 2) n--;
  const s = (m - 1) / (m + 1);
  let series = 0;
  for (let k = 41; k >= 3; k -= 2) series = (series + 1 / k) * s * s;
  return n * Math.LN2 + 2 * (s + s * series);
}

/** Coefficients B_2k / (2k (2k − 1)) of Stirling's series (DLMF 5.11.1). */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400]; // biome-ignore format: one series

/** log Γ(x) of x > 0: shifted up to where Stirling's series holds. */
function lgamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  if (x === 1 || x === 2) return 0;
  let shifted = x;
  let product = 1;
  while (shifted < 14) product *= shifted++;
  const r = 1 / (shifted * shifted);
  const series = STIRLING.reduceRight((sum, c) => sum * r + c, 0) / shifted;
  return (shifted - 0.5) * log(shifted) - shifted + 0.9189385332046728 + series - log(product);
}
