import type { Shape } from "../../base/shape.ts";

/** Axes of a loop nest after merging: sizes, and for each stride vector its strides along them. */
export interface Nest {
  readonly sizes: number[];
  readonly strides: number[][];
}

/**
 * Drops axes of size 1 and merges neighbours that every stride vector walks as one, so that most nests become one or two long
 * loops. An empty nest (one element) keeps one axis of size 1.
 */
export function mergeAxes(shape: Shape, vectors: readonly (readonly number[])[]): Nest {
  const sizes: number[] = [];
  const strides: number[][] = vectors.map(() => []);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    if (size === 1) continue;
    const inner = sizes.length - 1;
    const merges = inner >= 0 && vectors.every((v, i) => v[axis] === strides[i]![inner]! * sizes[inner]!);
    if (merges) sizes[inner]! *= size;
    else {
      sizes.push(size);
      for (const [i, v] of vectors.entries()) strides[i]!.push(v[axis]!);
    }
  }
  if (!sizes.length) {
    sizes.push(1);
    for (const s of strides) s.push(0);
  }
  return { sizes: sizes.reverse(), strides: strides.map((s) => s.reverse()) };
}
