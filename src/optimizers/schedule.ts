import { cos, full, pow } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Multiplies the learning rate. `step` counts from 0, `total` is the number of steps of the whole fit; f64 scalars. */
export type Schedule = (step: Tensor, total: Tensor) => Tensor;

export const constantSchedule: Schedule = (step) => full(step, [], 1);

/** From 1 down to 0 along a straight line. */
export const linearSchedule: Schedule = (step, total) => step.div(total).neg().add(1);

/** ½ (1 + cos(π step / total)) (Loshchilov and Hutter 2017). */
export const cosineSchedule: Schedule = (step, total) => cos(step.div(total).mul(Math.PI)).add(1).mul(0.5);

/** Times `factor` after each `1 / parts` of the fit. */
export const stepSchedule =
  (parts: number, factor: number): Schedule =>
  (step, total) =>
    pow(full(step, [], factor), step.div(total).mul(parts).floor());

/** Grows from 1 / steps to 1 during the first `steps` steps, on top of another schedule. */
export const withWarmup =
  (schedule: Schedule, steps: number): Schedule =>
  (step, total) =>
    schedule(step, total).mul(
      step
        .add(1)
        .mul(1 / steps)
        .minimum(1),
    );
