import { allocate, type DType, isFloat, type TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sameShape, sizeOf } from "../../src/base/shape.ts";
import type { Nodes } from "../../src/engine/program.ts";
import type { TensorSpec } from "../../src/engine/runtime.ts";
import type { Node } from "../../src/ir/node.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { moves } from "./graph-moves.ts";
import { type Entry, exact, moved, Pool } from "./graph-pool.ts";
import { Random } from "./random.ts";

/** A random step: what it reads, how it is traced, and how far two right answers may lie apart. */
export interface RandomStep {
  readonly state: Readonly<Record<string, TensorSpec>>;
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  readonly values: ReadonlyMap<string, TypedArray>;
  /** Steps that may be run in one call: more than one only where every state update is exact. */
  readonly steps: number;
  /** Appends the step. Makes the same graph each time it is called. */
  trace(b: Trace, state: Nodes, inputs: Nodes): { state: Record<string, Node>; outputs: Record<string, Node> };
  /** By result (`state.x`, `output.y`), known after `trace`. */
  readonly tolerance: Map<string, number>;
}

export interface GeneratorOptions {
  /** Sizes that axes may have. */
  readonly sizes?: readonly number[];
  /** Most elements of a value. */
  readonly limit?: number;
}

const DTYPES: readonly DType[] = ["f32", "f32", "f32", "f64", "f64", "i32", "u32", "u8", "bool"];
/** Floats in states and inputs are quarters within ±8. */
const [BOUND, GRID] = [8, 2];

function someValues(random: Random, dtype: DType, n: number): TypedArray {
  const out = allocate(dtype, n);
  for (let i = 0; i < n; i++) {
    if (isFloat(dtype)) out[i] = (random.below(2 * BOUND * 4 + 1) - BOUND * 4) / 4;
    else if (dtype === "bool") out[i] = random.below(2);
    else out[i] = random.chance(0.5) ? random.bits() : random.below(9) - (dtype === "i32" ? 2 : 0);
  }
  return out;
}

const declared = (node: Node, bitsOnly: boolean): Entry =>
  isFloat(node.dtype)
    ? { node, bound: BOUND, grid: bitsOnly ? Infinity : GRID, error: 0 }
    : exact(node, node.dtype === "bool" ? 1 : node.dtype === "u8" ? 255 : 2 ** 32, 0);

export function randomStep(seed: number, options: GeneratorOptions = {}): RandomStep {
  const random = new Random(seed);
  const sizes =
    options.sizes ??
    random.pick([
      [2, 3, 4],
      [1, 3, 5],
      [2, 7, 8],
      [1, 4, 9],
      [3, 16, 17],
      [5, 13, 2],
      [2, 2, 2],
      [16, 33],
      [20, 24, 3],
      [37, 12],
    ]);
  const limit = options.limit ?? 3000;
  const some = random.chance(0.05) ? [...sizes, 0] : sizes;
  const shape = (): number[] =>
    Array.from({ length: random.pick([0, 1, 1, 2, 2, 2, 3, 3, 4]) }, () => random.pick(some)).slice(0, 4);
  const favourites: Shape[] = [
    [],
    ...Array.from({ length: 3 }, shape),
    ...Array.from({ length: 2 }, () => [random.pick(some), random.pick(some)]),
  ];
  const small = favourites.filter((s) => sizeOf(s) <= limit);
  const spec = (): TensorSpec => ({ dtype: random.pick(DTYPES), shape: random.pick(small), upTo: false });
  const specs = (prefix: string, n: number) => {
    const out: Record<string, TensorSpec> = {};
    for (let i = 0; i < n; i++) {
      const names = Object.keys(out);
      // Twins can be exchanged.
      out[`${prefix}${i}`] = names.length && random.chance(0.4) ? out[random.pick(names)]! : spec();
    }
    return out;
  };
  const state = specs("s", 1 + random.below(4));
  const inputs = specs("x", random.below(3));
  const multi = random.chance(0.6);
  const values = new Map<string, TypedArray>();
  for (const [kind, list] of [
    ["state", state],
    ["input", inputs],
  ] as const) {
    for (const [name, s] of Object.entries(list))
      values.set(`${kind}.${name}`, someValues(random, s.dtype, sizeOf(s.shape)));
  }
  const body = random.bits();
  const tolerance = new Map<string, number>();

  return {
    state,
    inputs,
    values,
    steps: multi ? 3 : 1,
    tolerance,
    trace(b, stateNodes, inputNodes) {
      const r = new Random(body);
      const pool = new Pool(b, r);
      const old = new Map<string, Entry>();
      for (const [name, node] of Object.entries(stateNodes)) old.set(name, pool.add(declared(node, !multi)));
      for (const node of Object.values(inputNodes)) pool.add(declared(node, false));
      const depth = 5 + r.below(21);
      for (let made = 0, tries = 0; made < depth && tries < 200; tries++) {
        const entry = r.pick(moves)(pool, r.pick(small));
        if (!entry || entry.error > 0.01 || sizeOf(entry.node.shape) > limit) continue;
        pool.add(entry);
        made++;
      }
      tolerance.clear();
      const keep = (name: string, e: Entry) => {
        tolerance.set(name, e.error);
        return e.node;
      };
      const next: Record<string, Node> = {};
      const updates: Entry[] = [];
      for (const [name, { dtype, shape: of }] of Object.entries(state)) {
        const update = nextState(pool, old, name, dtype, of, multi);
        if (!update) continue;
        next[name] = keep(`state.${name}`, update);
        updates.push(update);
      }
      const outputs: Record<string, Node> = {};
      const give = (e: Entry) => {
        const name = `y${Object.keys(outputs).length}`;
        outputs[name] = keep(`output.${name}`, e);
      };
      for (let i = 0; i < 3; i++) give(pool.entries.at(-1 - r.below(Math.min(8, pool.entries.length)))!);
      const extras: (() => Entry | null)[] = [
        () => r.pick([...old.values()]),
        () => r.pick(pool.entries),
        () => pool.constant(r.pick(DTYPES), r.pick(small)),
        () => pool.bend(r.pick([...old.values()]), r.pick(small)),
        () => updates[0] ?? null,
        () => (pool.entries[0]!.node.shape.length > 1 ? pool.transpose(pool.entries[0]!) : null),
        () => {
          const e = pool.any((x) => x.error === 0);
          return pool.cast(pool.bend(e, []), "f64");
        },
        () => {
          const e = r.pick([...old.values()]);
          return isFloat(e.node.dtype) ? moved(b.add(e.node, 0), e) : null;
        },
      ];
      for (const extra of extras) {
        const e = r.chance(0.3) ? extra() : null;
        if (e) give(e);
      }
      return { state: next, outputs };
    },
  };
}

/** The new value of a state: moved about, mixed with itself, exchanged with another, or something else altogether. */
function nextState(
  p: Pool,
  old: ReadonlyMap<string, Entry>,
  name: string,
  dtype: DType,
  shape: Shape,
  multi: boolean,
): Entry | null {
  const { random: r, b } = p;
  const self = old.get(name)!;
  const twins = [...old].filter(
    ([other, e]) => other !== name && e.node.dtype === dtype && sameShape(e.node.shape, shape),
  );
  const rank = shape.length;
  const square = rank >= 2 && shape[rank - 1] === shape[rank - 2];
  const rows = shape[0] ?? 0;
  const swapped = [...shape.keys()].map((axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis));
  switch (r.below(8)) {
    case 0:
      return null;
    case 1:
      return twins.length ? r.pick(twins)[1] : null;
    case 2:
      return square ? moved(b.transpose(self.node, swapped), self) : null;
    case 3: {
      if (rows < 2) return null;
      const at = 1 + r.below(rows - 1);
      const part = (from: number, n: number) =>
        b.slice(
          self.node,
          shape.map((_, i) => (i ? 0 : from)),
          shape.with(0, n),
        );
      return moved(b.concat([part(at, rows - at), part(0, at)], 0), self);
    }
    case 4:
      return rows ? moved(b.gather(self.node, p.like("i32", [rows], true).node), self) : null;
    default: {
      const value = p.like(dtype, shape, multi && isFloat(dtype));
      if (!isFloat(dtype)) return value;
      const mixed = r.chance(0.5)
        ? { ...value, node: b.add(value.node, self.node), bound: value.bound + BOUND, grid: Math.max(value.grid, GRID) }
        : value;
      return quarters(p, mixed, multi);
    }
  }
}

/** Within what is declared of every state, so that it holds again in the next step. */
function quarters(p: Pool, e: Entry, multi: boolean): Entry {
  const { b } = p;
  const inside = p.clamp(e, BOUND);
  if (!multi || inside.grid <= GRID) return inside;
  return { ...inside, node: b.mul(b.floor(b.mul(inside.node, 4)), 0.25), grid: GRID };
}
