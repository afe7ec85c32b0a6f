import type { Generator } from "../base/generator.ts";
import { f64, gradient, program, u32 } from "../program/program.ts";
import { MemoryVector } from "./compile.ts";
import type { StochasticLogDensity } from "./mcmc/sgld.ts";
import type { Target } from "./target.ts";

/**
 * The gradient of a log density whose subsampled plates are subsampled, each call drawing a minibatch anew, as one compiled program.
 *
 * With a centre the estimate is ĝ(u) − ĝ(centre) + g(centre) with one minibatch for both and g exact: unbiased as well, and with little
 * noise near the centre (control variates: Baker, Fearnhead, Fox and Nemeth 2019).
 *
 * @param centre  a point and the exact gradient there, both [dim]
 */
export async function compileStochasticLogDensity(
  target: Target,
  centre: { readonly at: Float64Array; readonly gradient: Float64Array } | null,
): Promise<StochasticLogDensity> {
  const { dim, runtime, deterministic } = target;
  const vector = f64([dim]);
  const made = await program({
    runtime,
    deterministic,
    inputs: {
      ...target.inputs,
      unconstrained: vector,
      "sgld.word": u32([]),
      ...(centre && { "sgld.centre": vector, "sgld.gradient": vector }),
    },
    body: ({ inputs, rng }) => {
      const { unconstrained, ...data } = inputs as Record<string, NonNullable<(typeof inputs)["unconstrained"]>>;
      const key = rng.site("minibatch").fold(data["sgld.word"]!);
      const slope = (u: typeof unconstrained) => gradient(target.logDensity(u!, data, key), [u!])[0]!;
      const own = slope(unconstrained);
      if (!centre) return { outputs: { gradient: own } };
      return { outputs: { gradient: own.sub(slope(data["sgld.centre"])).add(data["sgld.gradient"]!) } };
    },
  });
  const place = runtime.buffer("f64", [dim]);
  const word = runtime.buffer("u32", []);
  made.prepare({
    ...target.data,
    unconstrained: place,
    "sgld.word": word,
    ...(centre && { "sgld.centre": centre.at, "sgld.gradient": centre.gradient }),
  } as never);
  const at = new MemoryVector(place);
  const found = new MemoryVector(made.outputs.gradient);
  return {
    dim,
    estimate(u, into, generator: Generator) {
      at.values.set(u);
      (word.view() as Uint32Array)[0] = generator.word();
      made.step();
      into.set(found.values);
    },
  };
}
