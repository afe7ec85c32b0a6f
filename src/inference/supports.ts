import type { Bound, Support } from "../constraints/support.ts";
import { Tensor } from "../tensor/tensor.ts";

/**
 * Where q has mass, as seen from where p has: `equal`, `within` (q leaves out some of p's), `beyond` (q has mass where p has none, so
 * that KL(q ‖ p) is infinite), or `unknown` (an end is another quantity of the model).
 */
export type SupportRelation = "equal" | "within" | "beyond" | "unknown";

/** An end as a number; null where it is not known before the model runs. */
type End = number | null;

/** The space that a support has volume in: of two supports in different ones, each is a null set of the other. */
type Carrier =
  /** Numbers from low to high; vectors and matrices of them element by element. */
  | { readonly space: "numbers"; readonly low: End; readonly high: End }
  /** Vectors that increase, from `low` on. */
  | { readonly space: "increasing"; readonly low: number }
  | { readonly space: "integers"; readonly low: End; readonly high: End }
  /** Vectors of counts with this sum. */
  | { readonly space: "sums"; readonly total: End }
  | { readonly space: "simplex" | "cholesky" | "correlationCholesky" | "positiveDefinite" };

const MOVEMENT = new Set(["broadcast", "reshape", "transpose", "cast", "stopGradient"]);

/** The number that a bound is, where it is a constant of the model; else null. */
export function constantOf(bound: Bound): number | null {
  if (!(bound instanceof Tensor)) return bound;
  let { node } = bound;
  while (MOVEMENT.has(node.op)) node = node.inputs[0]!;
  return node.op === "const" ? (node.attrs.value as number) : null;
}

/** A support with numbers for those of its ends that are constants. */
export function constantEnds(support: Support): Support {
  const entries = Object.entries(support).map(([key, end]) => [key, end instanceof Tensor ? (constantOf(end) ?? end) : end]); // biome-ignore format: one line
  return Object.fromEntries(entries) as unknown as Support;
}

/** Whether a support depends on nothing but itself. */
export const hasConstantEnds = (support: Support): boolean =>
  Object.values(constantEnds(support)).every((end) => !(end instanceof Tensor));

function carrierOf(support: Support): Carrier {
  const numbers = (low: End, high: End): Carrier => ({ space: "numbers", low, high });
  const integers = (low: End, high: End): Carrier => ({ space: "integers", low, high });
  switch (support.kind) {
    case "real":
      return numbers(-Infinity, Infinity);
    case "positive":
      return numbers(0, Infinity);
    case "unitInterval":
      return numbers(0, 1);
    case "interval":
      return numbers(constantOf(support.low), constantOf(support.high));
    case "above":
      return numbers(constantOf(support.low), Infinity);
    case "below":
      return numbers(-Infinity, constantOf(support.high));
    case "circle":
      return numbers(-Math.PI, Math.PI);
    case "ordered":
      return { space: "increasing", low: -Infinity };
    case "positiveOrdered":
      return { space: "increasing", low: 0 };
    case "binary":
      return integers(0, 1);
    case "categories":
      return integers(0, support.count - 1);
    case "counts":
      return integers(support.low, support.high === null ? Infinity : constantOf(support.high));
    case "countVector":
      return { space: "sums", total: constantOf(support.total) };
    case "simplex":
    case "cholesky":
    case "correlationCholesky":
    case "positiveDefinite":
      return { space: support.kind };
  }
}

/** Whether [a.low, a.high] reaches beyond, stays within, or is [b.low, b.high]. One end that is known to stick out suffices. */
function compareEnds(a: { low: End; high: End }, b: { low: End; high: End }): SupportRelation {
  const lower = a.low === null || b.low === null ? null : a.low - b.low || 0;
  const upper = a.high === null || b.high === null ? null : b.high - a.high || 0;
  // Equal infinities leave NaN, which `||` takes for 0.
  if ((lower !== null && lower < 0) || (upper !== null && upper < 0)) return "beyond";
  if (lower === null || upper === null) return "unknown";
  return lower === 0 && upper === 0 ? "equal" : "within";
}

/**
 * Compares the supports of two distributions of one event shape; edges, which have no mass, do not count. Vectors are taken to have two
 * elements or more: one alone increases always.
 *
 * A support of lower dimension (a simplex among vectors, a Cholesky factor among matrices) has mass where a density over the larger
 * space gives it none, and the other way round: `beyond` both ways. So have whole numbers among real ones.
 */
export function compareSupports(q: Support, p: Support): SupportRelation {
  const [a, b] = [carrierOf(q), carrierOf(p)];
  switch (a.space) {
    case "numbers":
      return b.space === "numbers" ? compareEnds(a, b) : "beyond";
    case "integers":
      // Vectors of counts with a given sum are few among all vectors of counts.
      return b.space === "integers" ? compareEnds(a, b) : "beyond";
    case "increasing": {
      const each = { low: a.low, high: Infinity };
      if (b.space === "increasing") return compareEnds(each, { low: b.low, high: Infinity });
      if (b.space !== "numbers") return "beyond";
      // Vectors of any order are more than those that increase.
      const found = compareEnds(each, b);
      return found === "equal" ? "within" : found;
    }
    case "sums": {
      if (b.space === "sums") return a.total === null || b.total === null ? "unknown" : a.total === b.total ? "equal" : "beyond"; // biome-ignore format: one line
      if (b.space !== "integers") return "beyond";
      const found = compareEnds({ low: 0, high: a.total }, b);
      return found === "equal" ? "within" : found;
    }
    default:
      return a.space === b.space ? "equal" : "beyond";
  }
}
