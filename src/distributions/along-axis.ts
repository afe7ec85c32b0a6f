import { OptionError } from "../base/errors.ts";
import { reshape } from "../tensor/functions.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Distribution, ParamSpec, ParamValue } from "./distribution.ts";

/**
 * A distribution whose parameters all have one more axis of their own, of length `size`: the components of a wrapper
 * around it.
 */
export interface AlongAxis {
  readonly size: number;
  readonly params: Readonly<Record<string, ParamSpec>>;
  readonly given: Readonly<Record<string, ParamValue>>;
}

/** The sizes of a value's axes. */
function sizesOf(value: ParamValue): readonly number[] {
  if (value instanceof Tensor) return value.shape;
  if (typeof value === "number") return [];
  return Array.isArray(value[0]) ? [value.length, value[0].length] : [value.length];
}

/**
 * Takes the last batch axis of a distribution's parameters as one of its components; parameters without that axis are
 * copied along it.
 *
 * @param what  names the wrapper in errors
 * @param size  where no parameter has the axis; null if one must
 */
export function alongAxis(what: string, { family, given }: Distribution, size: number | null): AlongAxis {
  const names = Object.keys(family.params);
  const own = (name: string) => sizesOf(given[name]!).at(-1 - family.params[name]!.rank);
  const sizes = new Set([...names.map(own), size ?? undefined].filter((n): n is number => n !== undefined && n !== 1));
  const [first = size ?? 1, second] = sizes;
  if (second !== undefined) {
    const shown = names.map((name) => `${name} [${sizesOf(given[name]!).join(", ")}]`).join(", ");
    throw new OptionError(`${what}: the parameters of ${family.name} have ${first} and ${second} elements: ${shown}`);
  }
  return {
    size: first,
    params: Object.fromEntries(
      names.map((name) => [name, { ...family.params[name]!, rank: family.params[name]!.rank + 1 }]),
    ),
    given: Object.fromEntries(
      names.map((name) => [name, copied(what, name, given[name]!, family.params[name]!.rank, first)]),
    ),
  };
}

/** A value with `size` elements along the axis before its last `rank` ones. */
function copied(what: string, name: string, value: ParamValue, rank: number, size: number): ParamValue {
  const sizes = sizesOf(value);
  const at = sizes.length - rank - 1;
  if (at >= 0 && sizes[at] === size) return value;
  if (value instanceof Tensor) {
    const lead = at >= 0 ? sizes.slice(0, at) : [];
    const inner = sizes.slice(sizes.length - rank);
    const spread = at >= 0 ? value : reshape<Tensor>(value, [1, ...inner]);
    return spread.broadcastTo([...lead, size, ...inner]);
  }
  if (typeof value === "number") return Array(size).fill(value) as number[];
  if (at < 0 && sizes.length === 1) return Array(size).fill(value) as number[][];
  if (rank === 0 && sizes.length === 1) return Array(size).fill(value[0]) as number[];
  throw new OptionError(`${what}: ${name} is one matrix for all ${size} components: give each component its own`);
}
