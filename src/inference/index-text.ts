import type { Shape } from "../base/shape.ts";

/** Row-major position as indices counted from 1: `2,3`. */
export function indexText(position: number, shape: Shape): string {
  const index: number[] = [];
  let rest = position;
  for (const size of [...shape].reverse()) {
    index.unshift((rest % size) + 1);
    rest = Math.floor(rest / size);
  }
  return index.join(",");
}

/** The numbers of one event, the first six at most. */
export function listed(values: Float64Array, at: number, size: number): string {
  const some = [...values.slice(at * size, at * size + Math.min(size, 6))].map((x) => Number(x.toPrecision(6)));
  return `[${some.join(", ")}${size > 6 ? ", …" : ""}]`;
}
