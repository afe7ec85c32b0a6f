import { type Layout, type Tensors, unpack } from "../nn/layout.ts";
import type { Estimator } from "../objectives/sgvb.ts";
import { full, iota } from "../tensor/functions.ts";
import type { AevbProblem } from "./aevb.ts";
import type { Fitted } from "./amortized-fit.ts";
import { outsideValues, runPlate } from "./amortized-plate.ts";
import { amortizedProblem, negLogPriorOf } from "./amortized-problem.ts";
import type { Inputs } from "./problem.ts";

/** How a fit is learned. */
export interface Parts {
  readonly learned: Layout;
  readonly held: Layout | null;
  readonly estimator: Estimator;
  readonly draws: number;
  readonly by: "ml" | "map";
}

/** The problem of AEVB inside a program that has the data, and the held parameters, as inputs. */
export function plateProblem(
  { problem, layout, family, encoder }: Pick<Fitted, "problem" | "layout" | "family" | "encoder">,
  { learned, held, estimator, draws, by }: Parts,
  inputs: Inputs,
): AevbProblem {
  const others: Tensors = held ? unpack(inputs.held!, held) : {};
  const hasPrior = by === "map" && !held && problem.layout.sites.some((s) => s.kind === "param" && s.logProb !== null);
  return amortizedProblem<Tensors>({
    layout: learned,
    dtype: problem.dtype,
    estimator,
    draws,
    latent: layout.latent,
    family,
    run: (parameters, rows, key) => {
      const { model, observed, outside } = runPlate(
        problem,
        layout,
        { ...parameters, ...others },
        inputs,
        rows,
        draws,
        key,
      );
      return { model, element: observed, outside };
    },
    encode: (parameters, observed, rows) => encoder.encode(parameters, observed, inputs, rows),
    negLogPrior: hasPrior
      ? (parameters) => {
          const like = Object.values(parameters)[0]!;
          const traced = problem.trace(like, inputs, { rows: { [layout.plate]: iota(like, [1], 0) } });
          const { values } = outsideValues(traced, { params: layout.params, globals: [] }, parameters, null);
          return negLogPriorOf(traced, values, full(like, [], layout.size, "f64"));
        }
      : null,
  });
}
