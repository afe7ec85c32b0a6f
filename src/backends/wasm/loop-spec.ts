import type { DType } from "../../base/dtype.ts";
import type { Shape } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import type { Place } from "../../passes/plan.ts";

/** Where a loop reads or writes: elements from `place`, by strides over the loop's axes. */
export interface Stream {
  readonly place: Place;
  readonly dtype: DType;
  readonly offset: number;
  readonly strides: readonly number[];
}

export type Source =
  | { readonly kind: "value"; readonly node: Node }
  | { readonly kind: "memory"; readonly stream: Stream }
  | { readonly kind: "constant"; readonly dtype: DType; readonly value: number }
  | { readonly kind: "count"; readonly dtype: DType; readonly offset: number; readonly strides: readonly number[] }
  /** Row `index` (clamped to the table) of a table whose rows start `rowStride` elements apart. */
  | {
      readonly kind: "row";
      readonly stream: Stream;
      readonly index: Stream;
      readonly rows: number;
      readonly rowStride: number;
    };

export interface LoopItem {
  readonly node: Node;
  readonly sources: readonly Source[];
  /** The value is its source: a gather, or a copy of a view. */
  readonly copies: boolean;
}

export interface Reduction {
  readonly op: "sum" | "max";
  readonly source: Source;
  /** Strides are 0 along the reduced axes. */
  readonly target: Stream;
}

/** A loop nest, told completely: what `emitLoop` writes. */
export interface LoopSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly items: readonly LoopItem[];
  readonly stores: readonly { readonly source: Source; readonly target: Stream }[];
  readonly reductions: readonly Reduction[];
}

/** The dtype of the values a source gives. */
export const dtypeOf = (source: Source): DType =>
  source.kind === "value" ? source.node.dtype : source.kind === "memory" || source.kind === "row" ? source.stream.dtype : source.dtype; // biome-ignore format: one choice

/** What a reduction starts from. */
export const identityOf = (op: "sum" | "max", dtype: DType): number =>
  op === "sum" ? 0 : dtype === "i32" ? -(2 ** 31) : dtype === "u32" ? 0 : -Infinity;

/** Texts that are equal exactly when two streams or sources read the same. */
export const streamKey = (s: Stream): string =>
  `${s.place.slot} ${s.place.offset} ${s.offset} ${s.dtype} ${s.strides.join()}`;
export const countKey = (s: Extract<Source, { kind: "count" }>): string =>
  `count ${s.dtype} ${s.offset} ${s.strides.join()}`;

export function sourceKey(source: Exclude<Source, { kind: "value" }>): string {
  switch (source.kind) {
    case "constant":
      return `constant ${source.dtype} ${Object.is(source.value, -0) ? "-0" : source.value}`;
    case "count":
      return countKey(source);
    case "memory":
      return `memory ${streamKey(source.stream)}`;
    default:
      return `row ${streamKey(source.stream)} by ${streamKey(source.index)}`;
  }
}
