import { bytesOf } from "../../../base/dtype.ts";
import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { attrsOf, operandsOf } from "../../../ops/scan/layout.ts";
import type { Plan } from "../../../passes/plan.ts";
import { call, type Expr, type FuncRef, i32, memory } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { placeAddress } from "../loop.ts";
import { addressOf, type RoutineContext, scratchOf } from "../routines.ts";
import { bodyPlan, bytesOfScan } from "./body-plan.ts";
import { addressOfResult, copyBytes, isSet, stepLimit, storeSteps } from "./frame.ts";

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** The workspace of a scan, behind the scratch of its body's kernels: the body's table, the row number, the body's arena. */
function workspace(plan: Plan) {
  const table = 0;
  const index = align(4 * (plan.slots.length + 3));
  const arena = index + 64;
  return { table, index, arena, bytes: arena + align(plan.arenaBytes) };
}

export const stepwiseScratch = (node: Node, inner: (plan: Plan) => number): number => {
  const plan = bodyPlan(node);
  return align(inner(plan)) + workspace(plan).bytes;
};

/**
 * Runs the body as a step with a table of its own: before each step the slots of xs and ys are moved to their rows, so that
 * nothing is copied. Carries live in the result and are updated in place.
 *
 * @param inner  bytes of scratch that the body's kernels need
 */
export function emitStepwise(c: RoutineContext, f: FuncBuilder, table: Expr, node: Node, inner: number): void {
  const attrs = attrsOf(node);
  const operands = operandsOf(node);
  const plan = bodyPlan(node);
  const bytes = bytesOfScan(node);
  const space = workspace(plan);
  const step = emitStep({ ...c, plan, parts: 1 }, `scan ${node.id}`);

  const scratch = f.let(scratchOf(c, table));
  const base = f.let(i32.add(scratch, i32.const(align(inner))));
  const out = f.let(addressOfResult(c, table, node));
  const limit = stepLimit(c, f, table, node);
  const slot = (name: string): number => plan.slots.indexOf(name);
  const point = (at: number, address: Expr) => {
    if (at >= 0) f.do(i32.store(base, address, 4 * at));
  };
  const first = f.let(attrs.reverse ? i32.sub(limit, i32.const(1)) : i32.const(0));
  const row = (address: Expr, rowBytes: number) => i32.add(address, i32.mul(first, i32.const(rowBytes)));
  point(0, i32.add(base, i32.const(space.arena)));
  point(slot("index"), i32.add(base, i32.const(space.index)));
  point(plan.slots.length, scratch);
  for (const [i, x] of operands.carries.entries()) {
    const { from, bytes: size } = bytes.carries[i]!;
    const home = f.let(i32.add(out, i32.const(from)));
    copyBytes(f, home, f.let(addressOf(c.plan, table, x)), size);
    point(slot(`state.${i}`), home);
  }
  for (const [i, x] of operands.captured.entries()) point(slot(`const.${i}`), addressOf(c.plan, table, x));
  /** Slots that go from row to row. */
  const moving: { slot: number; rowBytes: number }[] = [];
  const move = (name: string, address: Expr, rowBytes: number) => {
    if (slot(name) < 0) return;
    point(slot(name), row(address, rowBytes));
    moving.push({ slot: slot(name), rowBytes });
  };
  for (const [i, x] of operands.xs.entries()) move(`x.${i}`, addressOf(c.plan, table, x), bytes.xs[i]!);
  for (const [i, y] of bytes.ys.entries()) move(`y.${i}`, i32.add(out, i32.const(y.from)), y.rowBytes);
  if ((attrs.until >= 0 || attrs.counted) && bytes.yBytes) {
    f.do(memory.fill(i32.add(out, i32.const(bytes.ys[0]!.from)), i32.const(0), i32.const(bytes.yBytes)));
  }
  const stored = bytes.stored.map(({ from, rowBytes }, i) => ({
    home: f.let(i32.add(out, i32.const(bytes.carries[attrs.stored[i]!]!.from))),
    rowBytes,
    at: f.let(row(i32.add(out, i32.const(from)), rowBytes)),
  }));

  const sign = attrs.reverse ? -1 : 1;
  const taken = f.local("i32");
  f.set(taken, i32.const(0));
  f.block((leave) =>
    f.while(
      () => i32.lt_s(taken, limit),
      () => {
        if (attrs.until >= 0) leave(isSet(node, i32.add(out, i32.const(bytes.carries[attrs.until]!.from))));
        if (slot("index") >= 0) {
          const at = sign > 0 ? taken : i32.sub(i32.sub(limit, i32.const(1)), taken);
          f.do(i32.store(base, at, space.index));
        }
        for (const { home, rowBytes, at } of stored) {
          copyBytes(f, at, home, rowBytes);
          f.set(at, i32.add(at, i32.const(sign * rowBytes)));
        }
        f.do(call(step, base));
        for (const { slot: at, rowBytes } of moving) {
          f.do(i32.store(base, i32.add(i32.load(base, 4 * at), i32.const(sign * rowBytes)), 4 * at));
        }
        f.set(taken, i32.add(taken, i32.const(1)));
      },
    ),
  );
  storeSteps(f, node, out, bytes.steps, taken);
}

/** The kernels of the body, one after the other, and the copies of what ended up elsewhere. */
function emitStep(c: RoutineContext, name: string): FuncRef {
  const kernels = c.emitKernels(c, `${name} k`);
  return c.m.function(name, ["i32"], [], (f, table) => {
    for (const { before, run } of kernels) {
      if (before) f.do(call(before, table as Local, i32.const(0)));
      f.do(call(run, table as Local, i32.const(0)));
    }
    for (const { from, to } of c.plan.finalCopies) {
      const size = sizeOf(from.shape) * bytesOf(from.dtype);
      f.do(memory.copy(placeAddress(table!, to), placeAddress(table!, c.plan.places.get(from)!), i32.const(size)));
    }
  });
}
