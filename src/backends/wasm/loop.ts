import { bytesOf, type DType } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import type { Place } from "../../passes/plan.ts";
import { type Expr, type FuncRef, i32, i32x4, memory, select, v128 } from "./assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "./assembler/module.ts";
import { mergeAxes } from "./loop-nest.ts";
import {
  countKey, dtypeOf, identityOf, type LoopItem, type LoopSpec, type Reduction, type Source, type Stream,sourceKey, 
} from "./loop-spec.ts"; // biome-ignore format: one import
import { binary, emitScalar, unary } from "./scalar.ts";
import {
  constant, finishLanes, type Lanes, loadLane, loadSplat, loadStrided, loadVector, lowLanes, storeVector,
} from "./vector.ts"; // biome-ignore format: one import

/** The byte address of a place: its region's address from the program's table, plus the offset. */
export const placeAddress = (table: Expr, place: Place): Expr =>
  place.offset ? i32.add(i32.load(table, 4 * place.slot), i32.const(place.offset)) : i32.load(table, 4 * place.slot);

/** A kernel as functions of (table, part): with `parallel`, each part does its share, after `before` was done once. */
export interface EmittedKernel {
  readonly before: FuncRef | null;
  readonly run: FuncRef;
  readonly parallel: boolean;
}

/** Emits a loop nest, cut into `parts` shares along an axis that no reduction sums over, where that is worth a barrier. */
export function emitLoop(m: ModuleBuilder, spec: LoopSpec, parts = 1): EmittedKernel {
  const emitter = (f: FuncBuilder, table: Expr, part: Expr) => new LoopEmitter(m, f, table, spec, parts, part);
  let share: Share | null = null;
  let before: FuncRef | null = null;
  let accumulates = false;
  const run = m.function(spec.name, ["i32", "i32"], [], (f, table, part) => {
    const loop = emitter(f, table!, part!);
    share = loop.share;
    accumulates = loop.accumulates;
    if (!share) loop.initialise();
    if (sizeOf(spec.shape) > 0) loop.emit();
  });
  if (share && accumulates) {
    before = m.function(`${spec.name} before`, ["i32", "i32"], [], (f, table, part) =>
      emitter(f, table!, part!).initialise(),
    );
  }
  return { before, run, parallel: share !== null };
}

/** How a nest is cut: along an outer axis, or along the innermost in blocks of whole vectors. */
type Share = { readonly axis: number };

/** Elements below which a share is not worth waking others for; calls of transcendental functions count as several. */
const WORTH_SHARING = 20_000;
const CALL_WEIGHT = 8;
/** Inner shares begin at multiples of this many elements: whole vectors, and whole cache lines of f32. */
const BLOCK = 16;
/** Turns from which on a loop is worth more code. */
const LONG = 8;

/** A stream on the nest's axes, with the local that holds its address while the innermost loop runs. */
interface Cursor {
  readonly stream: Stream;
  readonly strides: readonly number[];
  readonly inner: number;
  readonly pointer: Local;
}

class LoopEmitter {
  private readonly m: ModuleBuilder;
  private readonly f: FuncBuilder;
  private readonly table: Expr;
  private readonly spec: LoopSpec;
  private readonly lanes: Lanes;
  private readonly sizes: readonly number[];
  private readonly stridesOf = new Map<readonly number[], readonly number[]>();
  private readonly cursors = new Map<string, Cursor>();
  private readonly bases = new Map<number, Local>();
  private readonly indices: Local[];
  /** Values that do not change along the innermost axis: computed once a row. */
  private readonly perRow = new Map<Node | string, Local>();
  private readonly accumulators = new Map<Reduction, Local>();
  /** How the nest is cut, or null when one part does it all. */
  readonly share: Share | null;
  private readonly parts: number;
  private readonly part: Expr;
  /** Elements of the innermost axis before this part's share: null for none. */
  private innerStart: Local | null = null;
  private readonly counters = new Map<string, { source: Extract<Source, { kind: "count" }>; value: Local }>();

  constructor(m: ModuleBuilder, f: FuncBuilder, table: Expr, spec: LoopSpec, parts: number, part: Expr) {
    this.parts = parts;
    this.part = part;
    this.m = m;
    this.f = f;
    this.table = table;
    this.spec = spec;
    const vectors = new Set<readonly number[]>();
    const add = (source: Source) => {
      if (source.kind === "memory") vectors.add(source.stream.strides);
      else if (source.kind === "count") vectors.add(source.strides);
      else if (source.kind === "row") {
        vectors.add(source.stream.strides);
        vectors.add(source.index.strides);
      }
    };
    for (const item of spec.items) for (const s of item.sources) add(s);
    for (const store of spec.stores) {
      add(store.source);
      vectors.add(store.target.strides);
    }
    for (const r of spec.reductions) {
      add(r.source);
      vectors.add(r.target.strides);
    }
    const list = [...vectors];
    const nest = mergeAxes(spec.shape, list);
    for (const [i, v] of list.entries()) this.stridesOf.set(v, nest.strides[i]!);
    this.sizes = nest.sizes;
    const all = [...spec.items.flatMap((i) => [i.node.dtype, ...i.sources.map(dtypeOf)]), ...spec.stores.map((s) => dtypeOf(s.source)), ...spec.reductions.map((r) => dtypeOf(r.source))]; // biome-ignore format: one list
    this.lanes = all.includes("f64") ? 2 : 4;
    this.indices = nest.sizes.slice(0, -1).map(() => f.local("i32"));
    this.share = this.chooseShare();
  }

  emit(): void {
    const { f } = this;
    const nest = (axis: number): void => {
      if (axis === this.indices.length) {
        this.row();
        return;
      }
      const size = this.sizes[axis]!;
      const [from, to] =
        this.share?.axis === axis ? [this.bound(size, 0), f.let(this.bound(size, 1))] : [i32.const(0), i32.const(size)];
      f.for(this.indices[axis]!, from, to, 1, () => nest(axis + 1));
    };
    if (this.sharesInner) this.innerStart = f.let(i32.mul(this.bound(this.innerBlocks, 0), i32.const(BLOCK)));
    nest(0);
  }

  private chooseShare(): Share | null {
    const weight = this.spec.items.reduce((n, item) => n + (isCall(item.node.op) ? CALL_WEIGHT : 1), 1);
    if (this.parts === 1 || sizeOf(this.spec.shape) * weight < WORTH_SHARING) return null;
    const free = (axis: number) => this.spec.reductions.every((r) => this.strides(r.target.strides)[axis] !== 0);
    const inner = this.sizes.length - 1;
    for (let axis = 0; axis < inner; axis++) if (this.sizes[axis]! >= 2 * this.parts && free(axis)) return { axis };
    return this.innerSize >= 4 * BLOCK * this.parts && free(inner) ? { axis: inner } : null;
  }

  private get sharesInner(): boolean {
    return this.share?.axis === this.sizes.length - 1;
  }

  private get innerBlocks(): number {
    return Math.ceil(this.innerSize / BLOCK);
  }

  /** ⌊size·(part + next) / parts⌋: where a share begins, or with next = 1 where it ends. */
  private bound(size: number, next: 0 | 1): Expr {
    const numerator = next ? i32.add(this.part, i32.const(1)) : this.part;
    return i32.div_u(i32.mul(numerator, i32.const(size)), i32.const(this.parts));
  }

  /** Whether some reduction starts from values in memory. */
  get accumulates(): boolean {
    return this.spec.reductions.some((r) => this.accumulatesInMemory(r));
  }

  /** Fills the targets of reductions that are accumulated in memory. */
  initialise(): void {
    const empty = sizeOf(this.spec.shape) === 0;
    for (const r of this.spec.reductions) {
      if (!empty && !this.accumulatesInMemory(r)) continue;
      const { dtype } = r.target;
      const count = this.targetSize(r);
      const address = this.f.let(placeAddress(this.table, r.target.place));
      if (r.op === "sum") {
        this.f.do(memory.fill(address, i32.const(0), i32.const(count * bytesOf(dtype))));
        continue;
      }
      const value = this.f.let(constant(dtype, identityOf(r.op, dtype)));
      const end = this.f.let(i32.add(address, i32.const(count * bytesOf(dtype))));
      this.f.while(
        () => i32.lt_u(address, end),
        () => {
          for (const s of storeVector(dtype, dtype === "f64" ? 2 : 4, address, value, 1)) this.f.do(s);
          this.f.set(address, i32.add(address, i32.const(bytesOf(dtype))));
        },
      );
    }
  }

  private targetSize(r: Reduction): number {
    return this.spec.shape.reduce((n, d, axis) => (r.target.strides[axis] ? n * d : n), 1);
  }

  private get innerSize(): number {
    return this.sizes.at(-1)!;
  }

  private strides(vector: readonly number[]): readonly number[] {
    return this.stridesOf.get(vector)!;
  }

  private inner(vector: readonly number[]): number {
    return this.strides(vector).at(-1)!;
  }

  /** Reduced along the innermost axis: kept in a register there. */
  private reducesInner(r: Reduction): boolean {
    return this.inner(r.target.strides) === 0;
  }

  /** Reduced along an outer axis, so that several rows meet in one place. */
  private accumulatesInMemory(r: Reduction): boolean {
    const strides = this.strides(r.target.strides);
    const outer = strides.slice(0, -1).some((s, axis) => s === 0 && this.sizes[axis]! > 1);
    return outer || !this.reducesInner(r);
  }

  private base(place: Place): Local {
    let base = this.bases.get(place.slot);
    if (!base) {
      base = this.f.local("i32");
      this.bases.set(place.slot, base);
    }
    this.f.set(base, i32.load(this.table, 4 * place.slot));
    return base;
  }

  /** Σ index·stride over the outer axes, in elements; null when it is always 0. */
  private outerOffset(strides: readonly number[]): Expr | null {
    let sum: Expr | null = null;
    for (const [axis, index] of this.indices.entries()) {
      const stride = strides[axis]!;
      if (!stride) continue;
      const term = stride === 1 ? index : i32.mul(index, i32.const(stride));
      sum = sum ? i32.add(sum, term) : term;
    }
    return sum;
  }

  private streamAddress(stream: Stream, strides: readonly number[]): Expr {
    const size = bytesOf(stream.dtype);
    const offset = this.outerOffset(strides);
    const constantPart = stream.place.offset + stream.offset * size;
    let address: Expr = this.base(stream.place);
    if (constantPart) address = i32.add(address, i32.const(constantPart));
    if (offset) address = i32.add(address, size === 1 ? offset : i32.mul(offset, i32.const(size)));
    const inner = strides.at(-1)! * size;
    if (this.innerStart && inner) address = i32.add(address, i32.mul(this.innerStart, i32.const(inner)));
    return address;
  }

  private cursor(stream: Stream): Cursor {
    const strides = this.strides(stream.strides);
    const key = `${stream.place.slot} ${stream.place.offset} ${stream.offset} ${stream.dtype} ${strides.join()}`;
    let cursor = this.cursors.get(key);
    if (!cursor) {
      const pointer = this.f.local("i32");
      cursor = { stream, strides, inner: strides.at(-1)!, pointer };
      this.cursors.set(key, cursor);
      this.f.set(pointer, this.streamAddress(stream, strides));
    }
    return cursor;
  }

  /** The address of the row that a `row` source points to now; the inner axis walks along the row. */
  private rowCursor(source: Extract<Source, { kind: "row" }>): Cursor {
    const { stream, index } = source;
    const strides = this.strides(stream.strides);
    const key = `row ${stream.place.slot} ${stream.place.offset} ${stream.offset} ${index.place.slot} ${index.place.offset} ${strides.join()}`;
    let cursor = this.cursors.get(key);
    if (!cursor) {
      const pointer = this.f.local("i32");
      const at = this.f.let(i32.load(this.streamAddress(index, this.strides(index.strides))));
      const row = i32.mul(this.clamp(at, source), i32.const(source.rowStride * bytesOf(stream.dtype)));
      this.f.set(pointer, i32.add(this.streamAddress(stream, strides), row));
      cursor = { stream, strides, inner: strides.at(-1)!, pointer };
      this.cursors.set(key, cursor);
    }
    return cursor;
  }

  private clamp(index: Local, { index: stream, rows }: Extract<Source, { kind: "row" }>): Expr {
    const last = i32.const(rows - 1);
    const below = select(i32.gt_u(index, last), last, index);
    return stream.dtype === "i32" ? select(i32.lt_s(index, i32.const(0)), i32.const(0), below) : below;
  }

  /** Whether a source changes along the innermost axis. */
  private varies(source: Source, varying: ReadonlySet<Node>): boolean {
    switch (source.kind) {
      case "value":
        return varying.has(source.node);
      case "memory":
        return this.inner(source.stream.strides) !== 0;
      case "count":
        return this.inner(source.strides) !== 0;
      case "row":
        return this.inner(source.stream.strides) !== 0 || this.inner(source.index.strides) !== 0;
      default:
        return false;
    }
  }

  private row(): void {
    const { f, spec, lanes } = this;
    this.cursors.clear();
    this.perRow.clear();
    this.counters.clear();
    this.bases.clear();
    const varying = new Set<Node>();
    for (const item of spec.items) if (item.sources.some((s) => this.varies(s, varying))) varying.add(item.node);

    // Pointers, and all that is the same along the row.
    const consumers = [...spec.items.flatMap((i) => i.sources), ...spec.stores.map((s) => s.source), ...spec.reductions.map((r) => r.source)]; // biome-ignore format: one list
    for (const source of consumers) this.prepare(source);
    for (const { target } of spec.stores) this.cursor(target);
    for (const item of spec.items) {
      if (varying.has(item.node)) continue;
      const args = item.sources.map((s) => this.invariant(s));
      this.perRow.set(item.node, f.let(this.evaluate(item, args)));
    }
    for (const r of spec.reductions) {
      if (this.reducesInner(r)) {
        const acc = this.accumulators.get(r) ?? f.local("v128");
        this.accumulators.set(r, acc);
        f.set(acc, constant(dtypeOf(r.source), identityOf(r.op, dtypeOf(r.source))));
      } else this.cursor(r.target);
    }

    const whole = Math.floor(this.innerSize / lanes);
    const rest = this.innerSize % lanes;
    if (this.sharesInner) {
      const last = i32.eq(this.part, i32.const(this.parts - 1));
      const end = select(last, i32.const(whole), i32.mul(this.bound(this.innerBlocks, 1), i32.const(BLOCK / lanes)));
      const left = f.let(i32.sub(end, i32.div_u(this.innerStart!, i32.const(lanes))));
      f.while(
        () => i32.gt_s(left, i32.const(0)),
        () => {
          this.turn(varying, lanes);
          this.advance();
          f.set(left, i32.sub(left, i32.const(1)));
        },
      );
      if (rest) f.if(last, () => this.turn(varying, rest));
      this.flush();
      return;
    }
    if (whole === 1) {
      this.turn(varying, lanes);
      if (rest) this.advance();
    } else if (whole > 1) {
      const left = f.let(i32.const(whole));
      f.doWhile(
        () => {
          this.turn(varying, lanes);
          this.advance();
          f.set(left, i32.sub(left, i32.const(1)));
        },
        () => left,
      );
    }
    if (rest) this.turn(varying, rest);
    this.flush();
  }

  /** Makes the pointers and counters a source needs. */
  private prepare(source: Source): void {
    if (source.kind === "memory") this.cursor(source.stream);
    else if (source.kind === "row") {
      if (this.inner(source.index.strides) === 0) this.rowCursor(source);
      else this.cursor(source.index);
    } else if (source.kind === "count" && this.inner(source.strides) !== 0) {
      const key = countKey(source);
      if (this.counters.has(key)) return;
      const stride = this.inner(source.strides);
      let first = this.countStart(source);
      if (this.innerStart) first = i32.add(first, i32.mul(this.innerStart, i32.const(stride)));
      const start = this.f.let(i32x4.splat(first));
      const ramp = i32x4.const(0, stride, 2 * stride, 3 * stride);
      this.counters.set(key, { source, value: this.f.let(i32x4.add(start, ramp)) });
    }
  }

  private countStart(source: Extract<Source, { kind: "count" }>): Expr {
    const outer = this.outerOffset(this.strides(source.strides));
    return outer ? i32.add(outer, i32.const(source.offset)) : i32.const(source.offset);
  }

  /** A source that is the same along the row, in all lanes. */
  private invariant(source: Source): Local {
    if (source.kind === "value") return this.perRow.get(source.node)!;
    const key = sourceKey(source);
    const known = this.perRow.get(key);
    if (known) return known;
    const value = this.f.let(this.loadInvariant(source));
    this.perRow.set(key, value);
    return value;
  }

  private loadInvariant(source: Exclude<Source, { kind: "value" }>): Expr {
    const { lanes } = this;
    switch (source.kind) {
      case "constant":
        return constant(source.dtype, source.value);
      case "count":
        return this.countTo(source.dtype, i32x4.splat(this.countStart(source)));
      case "memory":
        return loadSplat(source.stream.dtype, lanes, this.cursor(source.stream).pointer);
      default:
        return loadSplat(source.stream.dtype, lanes, this.rowCursor(source).pointer);
    }
  }

  /** Counts are kept as i32 and read as their dtype. */
  private countTo(dtype: DType, value: Expr): Expr {
    const { f, lanes, m } = this;
    if (dtype !== "f32" && dtype !== "f64") return value;
    const local = f.let(value);
    const node = { op: "cast", dtype, inputs: [{ dtype: "i32" }] } as unknown as Node;
    return emitScalar({ m, f, lanes, inline: false }, node, [local]);
  }

  private evaluate(item: LoopItem, args: readonly Expr[], inline = false): Expr {
    const { m, f, lanes } = this;
    return item.copies ? args[0]! : emitScalar({ m, f, lanes, inline }, item.node, args);
  }

  /** One vector of elements, or its `count` low lanes. */
  private turn(varying: ReadonlySet<Node>, count: number): void {
    const { f, spec, lanes } = this;
    const values = new Map<Node | string, Local>();
    const inline = count === lanes && this.innerSize >= LONG * lanes;
    const value = (source: Source): Local => {
      if (source.kind === "value") return values.get(source.node) ?? this.perRow.get(source.node)!;
      if (!this.varies(source, varying)) return this.invariant(source);
      const key = sourceKey(source);
      const known = values.get(key);
      if (known) return known;
      const loaded = f.let(this.load(source, count));
      values.set(key, loaded);
      return loaded;
    };
    for (const item of spec.items) {
      if (varying.has(item.node)) values.set(item.node, f.let(this.evaluate(item, item.sources.map(value), inline))); // biome-ignore format: short
    }
    // Read before anything is stored: a new state may be written over the old one that is being summed.
    const reduced = spec.reductions.map((r) => value(r.source));
    for (const { source, target } of spec.stores) this.store(target, value(source), count);
    for (const [i, r] of spec.reductions.entries()) this.accumulate(r, reduced[i]!, count);
  }

  private load(source: Exclude<Source, { kind: "value" }>, count: number): Expr {
    const { lanes } = this;
    if (source.kind === "count") return this.countTo(source.dtype, this.counters.get(countKey(source))!.value);
    if (source.kind === "row" && this.inner(source.index.strides) !== 0) return this.gatherLanes(source, count);
    const stream = (source as Extract<Source, { kind: "memory" | "row" }>).stream;
    const { pointer, inner } = source.kind === "row" ? this.rowCursor(source) : this.cursor(stream);
    if (inner === 1 && count === lanes) return loadVector(stream.dtype, lanes, pointer);
    return loadStrided(stream.dtype, lanes, pointer, inner, count);
  }

  /** Each lane has an index of its own. */
  private gatherLanes(source: Extract<Source, { kind: "row" }>, count: number): Expr {
    const { f } = this;
    const { stream, index } = source;
    const indices = this.cursor(index);
    const size = bytesOf(stream.dtype);
    const base = f.let(this.streamAddress(stream, this.strides(stream.strides)));
    const out = f.let(i32x4.const(0));
    for (let lane = 0; lane < count; lane++) {
      const at = f.let(i32.load(indices.pointer, lane * indices.inner * 4));
      const address = i32.add(base, i32.mul(this.clamp(at, source), i32.const(source.rowStride * size)));
      f.set(out, loadLane(stream.dtype, out, lane, address));
    }
    return finishLanes(stream.dtype, this.lanes, out);
  }

  private store(target: Stream, value: Local, count: number): void {
    const { pointer, inner } = this.cursor(target);
    const size = bytesOf(target.dtype);
    if (inner === 1) {
      for (const s of storeVector(target.dtype, this.lanes, pointer, value, count)) this.f.do(s);
      return;
    }
    // Strided targets (pieces of a concat along an inner axis): lane by lane.
    for (let lane = 0; lane < count; lane++) {
      const one = lane === 0 ? value : this.f.let(shiftLanes(this.lanes, target.dtype, value, lane));
      const address = i32.add(pointer, i32.const(lane * inner * size));
      for (const s of storeVector(target.dtype, this.lanes, address, one, 1)) this.f.do(s);
    }
  }

  private combine(op: "sum" | "max", dtype: DType, x: Expr, y: Expr): Expr {
    const { m, f, lanes } = this;
    return binary[op === "sum" ? "add" : "maximum"]({ m, f, lanes, inline: false }, x, y, dtype);
  }

  private accumulate(r: Reduction, value: Local, count: number): void {
    const { f, lanes } = this;
    const dtype = dtypeOf(r.source);
    if (this.reducesInner(r)) {
      const acc = this.accumulators.get(r)!;
      const identity = constant(dtype, identityOf(r.op, dtype));
      const used = count === lanes ? value : v128.bitselect(value, identity, lowLanes(lanes, dtype, count));
      f.set(acc, this.combine(r.op, dtype, acc, used));
      return;
    }
    const { pointer, inner } = this.cursor(r.target);
    const old =
      count === lanes && inner === 1
        ? loadVector(dtype, lanes, pointer)
        : loadStrided(dtype, lanes, pointer, inner, count);
    const sum = f.let(this.combine(r.op, dtype, old, value));
    this.store(r.target, sum, count);
  }

  /** Moves pointers and counters on by one vector. */
  private advance(): void {
    for (const { stream, inner, pointer } of this.cursors.values()) {
      const bytes = inner * this.lanes * bytesOf(stream.dtype);
      if (bytes) this.f.set(pointer, i32.add(pointer, i32.const(bytes)));
    }
    for (const { source, value } of this.counters.values()) {
      this.f.set(value, i32x4.add(value, i32x4.const(this.inner(source.strides) * this.lanes)));
    }
  }

  /** Ends a row: sums over lanes go to memory. */
  private flush(): void {
    const { f, lanes } = this;
    for (const r of this.spec.reductions) {
      if (!this.reducesInner(r)) continue;
      const dtype = dtypeOf(r.source);
      let total: Expr = this.accumulators.get(r)!;
      if (lanes === 4) total = f.let(this.combine(r.op, dtype, total, shiftLanes(4, dtype, total, 2)));
      total = f.let(this.combine(r.op, dtype, total, shiftLanes(lanes, dtype, total, 1)));
      const address = f.let(this.streamAddress(r.target, this.strides(r.target.strides)));
      if (this.accumulatesInMemory(r)) {
        total = f.let(this.combine(r.op, dtype, loadStrided(dtype, lanes, address, 1, 1), total));
      }
      for (const s of storeVector(dtype, lanes, address, total, 1)) f.do(s);
    }
  }
}

const isCall = (op: string): boolean => op in unary && !CHEAP.has(op);
const CHEAP = new Set(["neg", "abs", "sign", "floor", "sqrt", "not"]);

/** Moves lane `by` to lane 0. */
function shiftLanes(lanes: Lanes, dtype: DType, value: Expr, by: number): Expr {
  const wide = lanes === 2 && (bytesOf(dtype) === 8 || dtype === "bool");
  const bytes = by * (wide ? 8 : 4);
  return v128.shuffle(value, value, Array.from({ length: 16 }, (_, i) => (i + bytes) % 16)); // biome-ignore format: short
}
