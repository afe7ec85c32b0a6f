import type { Trace } from "../ops/vocabulary.ts";
import type { Context } from "./context.ts";
import type { Frame, TraceOptions } from "./frame.ts";
import { startRecording, type Words } from "./recording.ts";

/** Runs a text that uses these words, once, and returns what it wrote down and what its body returned. */
export function traceText<D>(
  b: Trace,
  body: (context: Context, data: D) => unknown,
  data: D,
  words: readonly Words[],
  options: TraceOptions = {},
): { readonly frame: Frame; readonly returned: unknown } {
  const recording = startRecording(b, options);
  const context = {} as Context;
  for (const more of words) Object.assign(context, more(recording, { ...context }));
  const returned = body(context, data);
  return { frame: recording.top(), returned };
}
