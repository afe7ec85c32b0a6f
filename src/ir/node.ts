import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";

/** Something larger, with a text that is equal exactly when its content is. */
export interface Keyed {
  readonly key: string;
}
/** What an op is told besides its operands. Functions count as equal only when they are the same one. */
export type Attr = number | string | boolean | readonly number[] | Keyed | ((...args: never[]) => unknown);
export type Attrs = Readonly<Record<string, Attr>>;

/** One value of a graph: immutable, of static shape and dtype. Equal nodes of one trace are the same object. */
export interface Node {
  /** Position in its trace: operands always have smaller ids. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Node[];
  readonly attrs: Attrs;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What a rule infers from operands and attributes. */
export interface Inferred {
  readonly shape: Shape;
  readonly dtype: DType;
}

let nextIdentity = 0;
const identities = new WeakMap<object, number>();

function identityOf(value: object): string {
  let id = identities.get(value);
  if (id === undefined) {
    id = nextIdentity++;
    identities.set(value, id);
  }
  return `#${id}`;
}

/** A text that is equal exactly when two attributes are: 0 and −0 differ, NaN equals itself. */
export function attrKey(value: Attr): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "object") return "key" in value ? value.key : `[${value.join(",")}]`;
  if (typeof value === "function") return identityOf(value);
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

export const attrsKey = (attrs: Attrs): string =>
  Object.keys(attrs)
    .sort()
    .map((k) => `${k}=${attrKey(attrs[k]!)}`)
    .join(" ");
