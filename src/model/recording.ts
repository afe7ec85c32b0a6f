import type { DType } from "../base/dtype.ts";
import { OptionError } from "../base/errors.ts";
import { showShape } from "../base/shape.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Context } from "./context.ts";
import type { Frame, TraceOptions, Tracing } from "./frame.ts";
import type { Plate } from "./site.ts";

/** A model's text while it is run: what its words write to. */
export interface Recording extends Tracing {
  /** Outermost first; the last is where sites go. */
  readonly frames: readonly Frame[];
  top(): Frame;
  /** Takes a name for a site. @throws OptionError where it is taken */
  claim(kind: string, name: unknown): void;
  /** @throws OptionError where the tensor is of another trace */
  ofTrace(call: string, value: Tensor): Tensor;
  /** Runs a body whose sites go into a frame of their own. */
  inside<S>(plate: Plate, index: Tensor, body: () => S): { frame: Frame; returned: S };
}

/** Some words of the language, over those before them. */
export type Words = (recording: Recording, context: Context) => Partial<Context>;

export function describe(x: unknown): string {
  if (x instanceof Tensor) return `a tensor ${showShape(x.shape)}`;
  if (typeof x === "function") return "a function";
  const family = (x as { family?: { name?: unknown } } | null | undefined)?.family?.name;
  if (typeof family === "string") return `the distribution ${family}`;
  return typeof x === "number" || typeof x === "bigint" ? String(x) : (JSON.stringify(x) ?? String(x));
}

export function startRecording(b: Trace, { rng = null, dtype = "f64", rows = {} }: TraceOptions = {}): Recording {
  const frames: Frame[] = [{ plate: null, index: null, sites: [], chains: [], steps: [] }];
  const names = new Map<string, string>();
  let count = 0;
  const claim = (kind: string, name: unknown): void => {
    if (typeof name !== "string" || name === "" || name === "__proto__") {
      throw new OptionError(`${kind} takes its name first, a text that is not empty, not ${describe(name)}`);
    }
    const taken = names.get(name);
    if (taken) {
      throw new OptionError(
        `the site name "${name}" is used twice: by ${taken} and by ${kind}("${name}"). Each site needs a name of its own.`,
      );
    }
    names.set(name, `${kind}("${name}")`);
  };
  const ofTrace = (call: string, value: Tensor): Tensor => {
    if (value.trace === b) return value;
    throw new OptionError(
      `${call} was given a tensor of another model's trace. Use this body's own arguments; numbers from outside go in as data.`,
    );
  };

  const inside = <S>(plate: Plate, index: Tensor, body: () => S): { frame: Frame; returned: S } => {
    const frame: Frame = { plate, index, sites: [], chains: [], steps: [] };
    frames.push(frame);
    try {
      return { frame, returned: body() };
    } finally {
      frames.pop();
    }
  };
  return {
    b,
    rng,
    dtype,
    rows,
    frames,
    top: () => frames.at(-1)!,
    claim,
    ofTrace,
    inside,
    // A text that is run twice in one trace, on different rows, has placeholders of different shapes.
    placeholder: (label, shape, own: DType = dtype) =>
      new Tensor(b, b.input(`${label}#${count++}${showShape(shape)}${own}`, own, shape)),
  };
}
