import { above, type Bound, below, interval, type Support } from "../constraints/support.ts";
import { and } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { asTensor } from "./distribution.ts";

/** The ends of a support of numbers; null where it has none. */
export function endsOf(support: Support): { readonly low: Bound | null; readonly high: Bound | null } {
  switch (support.kind) {
    case "positive":
      return { low: 0, high: null };
    case "unitInterval":
      return { low: 0, high: 1 };
    case "interval":
    case "counts":
      return { low: support.low, high: support.high };
    case "above":
      return { low: support.low, high: null };
    case "below":
      return { low: null, high: support.high };
    default:
      return { low: null, high: null };
  }
}

/** The support between two ends. */
export function between(low: Bound | null, high: Bound | null, base: Support): Support {
  if (low !== null && high !== null) return interval(low, high);
  if (low !== null) return low === 0 ? { kind: "positive" } : above(low);
  return high !== null ? below(high) : base;
}

/** Whether numbers lie in a support of numbers; null where all do. */
export function contains(x: Tensor, support: Support): Tensor | null {
  const { low, high } = endsOf(support);
  const at = (bound: number | Tensor): Tensor => asTensor(x.trace, bound);
  const from = low === null ? null : support.kind === "positive" ? x.gt(0) : x.ge(at(low));
  const to = high === null ? null : x.le(at(high));
  return from && to ? and<Tensor>(from, to) : (from ?? to);
}
