import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { attrsOf, bodyInputs, operandsOf } from "../../../ops/scan/layout.ts";
import { call, type Expr, type FuncRef, f32x4, f64x2, i32, i32x4, memory, select } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { addressOf, type RoutineContext } from "../routines.ts";
import { bytesOfScan } from "./body-plan.ts";
import type { Demand } from "./demand.ts";
import { addressOfResult, copyBytes, stepLimit, storeSteps } from "./frame.ts";
import { InlineBody } from "./inline-body.ts";
import { type LaneValue, loadElements, storeElements } from "./lane-values.ts";

/** Steps of one call: a function that runs is not replaced by its optimised code before it is called again. */
const STEPS_OF_A_CALL = 512;

/**
 * A scan whose body is small: one loop with the body written out, carries in locals. `run` is called for some hundred steps at
 * a time; between calls the carries lie in the result.
 */
export function emitInline(c: RoutineContext, f: FuncBuilder, table: Expr, node: Node, demand: Demand): void {
  const attrs = attrsOf(node);
  const bytes = bytesOfScan(node);
  const run = emitRun(c, node, demand);
  const out = f.let(addressOfResult(c, table, node));
  const limit = stepLimit(c, f, table, node);
  for (const [i, x] of operandsOf(node).carries.entries()) {
    const { from, bytes: size } = bytes.carries[i]!;
    copyBytes(f, f.let(i32.add(out, i32.const(from))), f.let(addressOf(c.plan, table, x)), size);
  }
  if ((attrs.until >= 0 || attrs.counted) && bytes.yBytes) {
    f.do(memory.fill(i32.add(out, i32.const(bytes.ys[0]!.from)), i32.const(0), i32.const(bytes.yBytes)));
  }
  const taken = f.local("i32");
  f.set(taken, i32.const(0));
  const end = f.local("i32");
  f.block((leave) =>
    f.while(
      () => i32.lt_s(taken, limit),
      () => {
        const next = i32.add(taken, i32.const(STEPS_OF_A_CALL));
        f.set(end, select(i32.lt_s(next, limit), next, limit));
        f.set(taken, call(run, table, taken, end, limit));
        if (attrs.until >= 0) leave(i32.lt_s(taken, end));
      },
    ),
  );
  storeSteps(f, node, out, bytes.steps, taken);
}

/** (table, from, to, limit) → the step before which it stopped: `to`, or less where `until` holds. */
function emitRun(c: RoutineContext, node: Node, demand: Demand): FuncRef {
  const attrs = attrsOf(node);
  const operands = operandsOf(node);
  const inputs = bodyInputs(node);
  const bytes = bytesOfScan(node);
  const { dtype } = node;
  const outputs = [...attrs.body.graph.outputs.values()];
  return c.m.function(`scan ${node.id}`, ["i32", "i32", "i32", "i32"], ["i32"], (f, table, from, to, limit) => {
    const out = f.let(addressOfResult(c, table!, node));
    const row = f.let(attrs.reverse ? i32.sub(i32.sub(limit!, i32.const(1)), from!) : from!);
    const sign = attrs.reverse ? -1 : 1;
    const at = (address: Expr, rowBytes: number) => f.let(i32.add(address, i32.mul(row, i32.const(rowBytes))));

    const addresses = new Map<Node, Local>();
    /** Pointers that go from row to row. */
    const moving: { pointer: Local; rowBytes: number }[] = [];
    const move = (address: Expr, rowBytes: number): Local => {
      const pointer = at(address, rowBytes);
      moving.push({ pointer, rowBytes });
      return pointer;
    };
    for (const [i, x] of operands.captured.entries()) {
      const input = inputs.captured[i];
      if (input) addresses.set(input, f.let(addressOf(c.plan, table!, x)));
    }
    for (const [i, x] of operands.xs.entries()) {
      const input = inputs.xs[i];
      if (input) addresses.set(input, move(addressOf(c.plan, table!, x), bytes.xs[i]!));
    }
    const ys = bytes.ys.map((y) => move(i32.add(out, i32.const(y.from)), y.rowBytes));
    const stored = bytes.stored.map((s) => move(i32.add(out, i32.const(s.from)), s.rowBytes));

    const { lanes } = demand;
    const state = operands.carries.map((x, i) =>
      loadElements(f, lanes, dtype, out, bytes.carries[i]!.from, sizeOf(x.shape)),
    );
    const stateOf = new Map(inputs.carries.flatMap((x, i) => (x ? [[x, state[i]!] as const] : [])));
    const body = new InlineBody(c.m, f, demand, {
      state: (input, k) => stateOf.get(input)![k]!,
      address: (input) => addresses.get(input)!,
      row,
    });
    const store = (address: Expr, offset: number, values: readonly LaneValue[]) =>
      storeElements(f, body.packer, lanes, dtype, address, offset, values);
    body.emitFixed();
    f.block((leave) =>
      f.while(
        () => i32.lt_s(from!, to!),
        () => {
          if (attrs.until >= 0) leave(isOn(dtype, state[attrs.until]![0]!.vector));
          for (const [i, pointer] of stored.entries()) store(pointer, 0, state[attrs.stored[i]!]!);
          body.emitStep();
          for (const [i, pointer] of ys.entries()) store(pointer, 0, body.elementsOf(outputs[attrs.carries + i]!));
          setState(f, state, state.map((_, i) => body.elementsOf(outputs[i]!)), (values) => body.packer.pack(dtype, values));
          for (const { pointer, rowBytes } of moving) f.set(pointer, i32.add(pointer, i32.const(sign * rowBytes)));
          f.set(row, i32.add(row, i32.const(sign)));
          f.set(from!, i32.add(from!, i32.const(1)));
        },
      ),
    ); // biome-ignore format: one loop
    for (const [i, values] of state.entries()) store(out, bytes.carries[i]!.from, values);
    return from!;
  });
}

/** All carries at once: what a carry becomes may be another one's old value. */
function setState(
  f: FuncBuilder,
  state: readonly (readonly LaneValue[])[],
  next: readonly (readonly LaneValue[])[],
  pack: (values: readonly LaneValue[]) => Expr,
): void {
  const moves: { to: Local; value: Expr }[] = [];
  const old = new Set(state.flat().map((v) => v.vector));
  for (const [i, values] of state.entries()) {
    for (let at = 0; at < values.length; ) {
      const to = values[at]!.vector as Local;
      const width = values.slice(at).findIndex((v) => v.vector !== to);
      const group = next[i]!.slice(at, width < 0 ? undefined : at + width);
      const value = pack(group);
      if (value !== to) moves.push({ to, value: old.has(value) ? f.let(value) : value });
      at += group.length;
    }
  }
  for (const { to, value } of moves) f.set(to, value);
}

/** Whether the lowest lane is other than 0. */
const isOn = (dtype: Node["dtype"], value: Expr): Expr =>
  i32x4.extract(dtype === "f64" ? f64x2.ne(value, f64x2.const(0)) : f32x4.ne(value, f32x4.const(0)), 0);
