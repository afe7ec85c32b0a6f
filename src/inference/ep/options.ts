import { OptionError } from "../../base/errors.ts";
import type { LogDensity } from "../log-density.ts";

export interface EpOptions {
  /** Power α of power EP (Minka 2004): 1 (the default) minimises KL(p‖q) site by site; towards 0 it becomes KL(q‖p). */
  readonly alpha?: number;
  /** Part of a site's old parameters that is kept in each update, from 0 (the default) to below 1. More is used where updates do not settle. */
  readonly damping?: number;
  /** "sequential" (the default): each site sees what those before it changed. "parallel": all sites see the same q. */
  readonly schedule?: "sequential" | "parallel";
  /** Largest change of a site in a sweep, in units of the sd it sees, at which EP has converged. Default 1e-8. */
  readonly tolerance?: number;
  /** Default 200. */
  readonly maxSweeps?: number;
  /** Of the draws that the ELBO is estimated from. Default 0. */
  readonly seed?: number;
  /** Fresh draws for that. Default 256. */
  readonly evaluationDraws?: number;
  /** The log density compiled before. */
  readonly density?: LogDensity;
  readonly signal?: AbortSignal;
}

export type Settings = Required<Omit<EpOptions, "density" | "signal">>;

/** @throws OptionError naming the option, what it was and what it may be */
export function settingsOf(options: EpOptions): Settings {
  const settings: Settings = {
    alpha: options.alpha ?? 1,
    damping: options.damping ?? 0,
    schedule: options.schedule ?? "sequential",
    tolerance: options.tolerance ?? 1e-8,
    maxSweeps: options.maxSweeps ?? 200,
    seed: options.seed ?? 0,
    evaluationDraws: options.evaluationDraws ?? 256,
  };
  const { alpha, damping, schedule, tolerance, maxSweeps } = settings;
  const check = (fits: boolean, name: string, value: unknown, wanted: string): void => {
    if (!fits) throw new OptionError(`ep: ${name} is ${String(value)}, but it must be ${wanted}`);
  };
  check(alpha > 0 && alpha <= 2, "alpha", alpha, "above 0 and at most 2; 1 is expectation propagation");
  check(damping >= 0 && damping < 1, "damping", damping, "from 0 to below 1: the part of the old site that is kept");
  check(schedule === "sequential" || schedule === "parallel", "schedule", schedule, '"sequential" or "parallel"');
  check(tolerance > 0, "tolerance", tolerance, "above 0");
  check(Number.isInteger(maxSweeps) && maxSweeps >= 1, "maxSweeps", maxSweeps, "an integer of at least 1");
  return settings;
}
