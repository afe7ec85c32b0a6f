import { InternalError } from "../base/errors.ts";
import { contract } from "./contract.ts";
import { control } from "./control.ts";
import { gathering } from "./gather.ts";
import { movement } from "./movement.ts";
import { reduce } from "./reduce.ts";
import { scalar } from "./scalar.ts";
import type { Op } from "./vocabulary.ts";

const rows: Record<string, Op> = {};

/** Every op there is. */
export const ops: Readonly<Record<string, Op>> = rows;

/**
 * Adds ops that are not in the core, so that a program without them need not load them. Whoever appends such an op calls this
 * first; adding a row again changes nothing.
 */
export function extendOps(added: Readonly<Record<string, Op>>): void {
  for (const name in added) {
    rows[name] ??= added[name]!;
    if (rows[name] !== added[name]) throw new InternalError(`two ops have the name "${name}"`);
  }
}
for (const family of [control, scalar, reduce, movement, contract, gathering]) extendOps(family);

/** The row of an op; an unknown name says which row to write. */
export function opRow(name: string): Op {
  const row = ops[name];
  if (!row) {
    throw new InternalError(
      `no op "${name}": add a row { infer, vjp, batch, evaluate } under src/ops and an emitter under src/backends/wasm`,
    );
  }
  return row;
}
