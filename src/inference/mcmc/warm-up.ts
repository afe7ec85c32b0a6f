import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { type DualAveraging, dualAveraging, updateDualAveraging } from "./dual-averaging.ts";
import type { HamiltonianInfo, HamiltonianState } from "./kernel.ts";
import { estimate, type MetricDraw } from "./estimate-metric.ts";
import { diagonalMetric } from "./metric.ts";
import { firstStepSize } from "./step-size.ts";

export interface WarmUpOptions {
  readonly length: number;
  readonly targetAcceptance: number;
  readonly metric: "diagonal" | "dense" | "auto";
}

export interface WarmUp {
  /** The state with a first step size. */
  begin(state: HamiltonianState): HamiltonianState;
  /** After a transition: the state with the step size, and perhaps the metric, of the next one. */
  update(state: HamiltonianState, info: HamiltonianInfo): HamiltonianState;
}
const FIRST = Number(process.env.FIRST ?? 6), GROW = Number(process.env.GROW ?? 1.5), INITM = process.env.INITM ?? "grad";

export function warmUp(logDensity: LogDensity, options: WarmUpOptions, generator: Generator): WarmUp {
  const stop = options.length - Math.max(10, Math.min(50, Math.floor(0.1 * options.length)));
  const ends: number[] = [];
  for (let size = FIRST, end = FIRST; end <= stop; size *= GROW, end = Math.round(end + size)) ends.push(end + size * GROW > stop ? stop : end);
  if (process.env.SHOW) console.log(ends.join(" "));
  const { dim } = logDensity;
  let history: MetricDraw[] = [];
  let background = 0;
  let iteration = 0;
  let averaging: DualAveraging = dualAveraging(1);
  let window = 0;
  const begin = (state: HamiltonianState): HamiltonianState => {
    const { stepSize } = firstStepSize(logDensity, state, generator);
    averaging = dualAveraging(stepSize);
    return { ...state, stepSize };
  };
  return {
    begin: (state) => begin(INITM === "grad" ? { ...state, metric: diagonalMetric(state.gradient.map((g) => Math.min(1e10, Math.max(1e-10, 1 / Math.abs(g))))) } : state),
    update: (state, info) => {
      averaging = updateDualAveraging(averaging, info.acceptance, options.targetAcceptance);
      iteration++;
      if (window < ends.length) history.push(state);
      if (iteration === ends[window]) {
        window++;
        const metric = estimate(history, dim, options.metric);
        history = history.slice(background);
        background = history.length;
        if (metric) return begin({ ...state, stepSize: Math.exp(averaging.logAverage), metric });
      }
      const last = iteration === options.length;
      return { ...state, stepSize: Math.exp(last ? averaging.logAverage : averaging.logStepSize) };
    },
  };
}
