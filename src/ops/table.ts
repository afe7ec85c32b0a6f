import { InternalError } from "../base/errors.ts";
import { contract } from "./contract.ts";
import { control } from "./control.ts";
import { gathering } from "./gather.ts";
import { movement } from "./movement.ts";
import { reduce } from "./reduce.ts";
import { scalar } from "./scalar.ts";
import type { Op } from "./vocabulary.ts";

const families: readonly Readonly<Record<string, Op>>[] = [control, scalar, reduce, movement, contract, gathering];

/** Every op there is. */
export const ops: Readonly<Record<string, Op>> = Object.assign({}, ...families);
if (Object.keys(ops).length !== families.reduce((n, family) => n + Object.keys(family).length, 0)) {
  throw new InternalError("two ops have one name");
}

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
