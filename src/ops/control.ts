import { InternalError } from "../base/errors.ts";
import type { CustomRule, Op } from "./vocabulary.ts";

const sameAsFirst: Op["infer"] = (inputs) => ({ shape: inputs[0]!.shape, dtype: inputs[0]!.dtype });

/** Given by the caller of a program; carries its type itself. */
const input: Op = {
  infer: () => {
    throw new InternalError("inputs are made by Builder.input");
  },
  vjp: () => [],
  batch: (b, _args, _batched, node) => b.input(node.attrs.name as string, node.dtype, node.shape),
  evaluate: (_args, node) => {
    throw new InternalError(`no value was bound to input "${node.attrs.name}"`);
  },
};

const constant: Op = {
  infer: () => {
    throw new InternalError("constants are made by Builder.constant");
  },
  vjp: () => [],
  batch: (b, _args, _batched, node) => b.constant(node.attrs.value as number, node.dtype, node.shape),
  evaluate: (_args, node) => {
    throw new InternalError(`constant ${node.attrs.value} is evaluated by the backend`);
  },
};

const stopGradient: Op = {
  infer: sameAsFirst,
  vjp: () => [null],
  batch: (b, [x]) => b.stopGradient(x!),
  evaluate: ([x]) => x!,
  lower: (_b, node) => node.inputs[0]!,
};

/** The same value in a place of its own. */
const copy: Op = {
  infer: sameAsFirst,
  vjp: (_b, g) => [g],
  batch: (b, [x]) => b.builder.append("copy", [x!]),
  evaluate: ([x]) => x!.slice(),
};

/** Operands: the value, then those its gradient goes to. */
const customVjp: Op = {
  infer: sameAsFirst,
  vjp: (b, g, node) => {
    const [, ...xs] = node.inputs;
    return [null, ...(node.attrs.rule as unknown as CustomRule)(b, g, node, xs)];
  },
  batch: () => {
    throw new InternalError("customVjp is vectorised by vmap itself, with its rule");
  },
  evaluate: ([y]) => y!,
  lower: (_b, node) => node.inputs[0]!,
};

export const control: Record<string, Op> = { input, const: constant, copy, stopGradient, customVjp };
