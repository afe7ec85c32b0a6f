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
