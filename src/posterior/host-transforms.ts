import { sizeOf } from "../base/shape.ts";
import { sigmoid } from "../base/special.ts";

/**
 * Where a site's values lie, as plain data: the supports of constraints/support.ts whose ends are numbers. The maps onto them
 * are those of constraints/bijector.ts, here on the host and without a graph, so that a saved posterior needs no compiler.
 */
export type StoredSupport =
  | { readonly kind: ElementwiseKind | VectorKind | MatrixKind }
  | { readonly kind: "interval"; readonly low: number; readonly high: number }
  | { readonly kind: "above"; readonly low: number }
  | { readonly kind: "below"; readonly high: number };

type ElementwiseKind = "real" | "positive" | "unitInterval" | "circle";
type VectorKind = "simplex" | "ordered" | "positiveOrdered";
type MatrixKind = "cholesky" | "correlationCholesky" | "positiveDefinite";

/** A map of one event: reads free numbers of `u` from `from` on, writes the event to `x` at `at`. */
type EventMap = (u: Float64Array, from: number, x: Float64Array, at: number) => void;

/** The greatest number below 1, which σ(u) shall not reach. */
const BELOW_ONE = 1 - 2 ** -53;
/** The least element of a simplex, and the least logarithm of a correlation factor's diagonal. */
const SMALLEST = 2 ** -1022;
const LOWEST = -700;

/** How many unconstrained numbers stand for a value of this shape. */
export function unconstrainedSize({ kind }: StoredSupport, shape: readonly number[]): number {
  const n = shape.at(-1) ?? 1;
  if (kind === "simplex") return sizeOf(shape.slice(0, -1)) * (n - 1);
  if (kind === "correlationCholesky") return (sizeOf(shape.slice(0, -2)) * n * (n - 1)) / 2;
  if (kind === "cholesky" || kind === "positiveDefinite") return (sizeOf(shape.slice(0, -2)) * n * (n + 1)) / 2;
  return sizeOf(shape);
}

/**
 * The value that unconstrained numbers stand for.
 *
 * @param u      holds the numbers from `from` on, as many as `unconstrainedSize`
 * @param shape  of the value, batch axes included
 * @param x      where it is written, row-major, from `at` on
 */
export function constrain(
  support: StoredSupport,
  shape: readonly number[],
  u: Float64Array,
  from: number,
  x: Float64Array,
  at: number,
): void {
  const size = sizeOf(shape);
  const elementwise = elementMap(support);
  if (elementwise) {
    for (let i = 0; i < size; i++) x[at + i] = elementwise(u[from + i]!);
    return;
  }
  const n = shape.at(-1)!;
  const rank = isMatrix(support.kind) ? 2 : 1;
  const eventSize = n ** rank;
  const events = size / eventSize;
  const step = unconstrainedSize(support, shape) / events;
  const map = eventMap(support.kind as VectorKind | MatrixKind, n);
  for (let e = 0; e < events; e++) map(u, from + e * step, x, at + e * eventSize);
}

const isMatrix = (kind: string): boolean =>
  kind === "cholesky" || kind === "correlationCholesky" || kind === "positiveDefinite";

function elementMap(support: StoredSupport): ((u: number) => number) | null {
  switch (support.kind) {
    case "real":
      return (u) => u;
    case "positive":
      return Math.exp;
    case "above":
      return (u) => support.low + Math.exp(u);
    case "below":
      return (u) => support.high - Math.exp(u);
    case "unitInterval":
      return (u) => Math.min(sigmoid(u), BELOW_ONE);
    case "interval":
      return scaled(support.low, support.high);
    case "circle":
      return scaled(-Math.PI, Math.PI);
    default:
      return null;
  }
}

/** low + (high − low) σ(u), measured from the nearer end. */
const scaled =
  (low: number, high: number) =>
  (u: number): number => {
    const distance = sigmoid(-Math.abs(u)) * (high - low);
    return u > 0 ? high - distance : low + distance;
  };

function eventMap(kind: VectorKind | MatrixKind, n: number): EventMap {
  switch (kind) {
    case "simplex":
      return softmaxOfLogRatios(n);
    case "ordered":
      return (u, from, x, at) => {
        x[at] = u[from]!;
        for (let i = 1; i < n; i++) x[at + i] = x[at + i - 1]! + Math.exp(u[from + i]!);
      };
    case "positiveOrdered":
      return (u, from, x, at) => {
        for (let i = 0, sum = 0; i < n; i++) x[at + i] = sum += Math.exp(u[from + i]!);
      };
    case "cholesky":
      return lowerTriangle(n);
    case "correlationCholesky":
      return correlationFactor(n);
    case "positiveDefinite":
      return (u, from, x, at) => {
        const factor = new Float64Array(n * n);
        lowerTriangle(n)(u, from, factor, 0);
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let k = 0; k <= Math.min(i, j); k++) sum += factor[i * n + k]! * factor[j * n + k]!;
            x[at + i * n + j] = sum;
          }
        }
      };
  }
}

/** softmax(V u), column i of V being (1, …, 1, −i, 0, …, 0) / √(i (i + 1)) with i ones (Helmert's matrix), i from 1. */
const softmaxOfLogRatios =
  (n: number): EventMap =>
  (u, from, x, at) => {
    // Element k has every column from k + 1 on, and −k times column k.
    let later = 0;
    let greatest = -Infinity;
    for (let k = n - 1; k >= 0; k--) {
      const own = k > 0 ? u[from + k - 1]! / Math.sqrt(k * (k + 1)) : 0;
      x[at + k] = later - own * k;
      greatest = Math.max(greatest, x[at + k]!);
      later += own;
    }
    let total = 0;
    for (let k = 0; k < n; k++) total += Math.exp(x[at + k]! - greatest);
    const logTotal = greatest + Math.log(total);
    for (let k = 0; k < n; k++) x[at + k] = Math.max(Math.exp(x[at + k]! - logTotal), SMALLEST);
  };

/** The lower triangle by rows, its diagonal e^u. */
const lowerTriangle =
  (n: number): EventMap =>
  (u, from, x, at) => {
    for (let i = 0, next = from; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const value = j <= i ? u[next++]! : 0;
        x[at + i * n + j] = i === j ? Math.exp(value) : value;
      }
    }
  };

/** Rows of length one from partial correlations tanh u (Lewandowski, Kurowicka and Joe 2009). */
const correlationFactor =
  (n: number): EventMap =>
  (u, from, x, at) => {
    for (let i = 0, next = from; i < n; i++) {
      // Logarithm of the length that the row has left.
      let left = 0;
      for (let j = 0; j < n; j++) {
        const rest = Math.exp(Math.max(left, LOWEST));
        x[at + i * n + j] = j < i ? Math.tanh(u[next]!) * rest : j === i ? rest : 0;
        if (j < i) left += logSech(u[next++]!);
      }
    }
  };

/** log(1 / cosh u) = log 2 − |u| − log(1 + e^−2|u|) */
const logSech = (u: number): number => Math.LN2 - Math.abs(u) - Math.log1p(Math.exp(-2 * Math.abs(u)));
