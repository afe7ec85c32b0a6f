import type { LogDensity } from "../log-density.ts";
import type { Metric } from "./metric.ts";
import { completePoint, leapfrog, type PhasePoint, phasePoint } from "./phase-point.ts";

/** A sum of momenta [dim]. */
export interface MomentumSum {
  readonly values: Float64Array;
}

/**
 * Where trajectories run: on the host, or in the memory of a compiled density (native-phase-space.ts), with the same bits. Points are
 * made once and used again.
 */
export interface PhaseSpace {
  point(): PhasePoint;
  sum(): MomentumSum;
  /** Before each trajectory: its metric. The arrays of points and sums are to be looked at anew afterwards. */
  begin(metric: Metric): void;
  /** Velocity, natural gradient and energy of a point whose place, log density, gradient and momentum are known. */
  complete(point: PhasePoint): void;
  /** See `leapfrog`. */
  leapfrog(from: PhasePoint, to: PhasePoint, stepSize: number): void;
  /**
   * Adds the momenta of a piece of trajectory to those of the one before it. False when the joined trajectory turns back, or the
   * first piece with the other's first point does, or its last point with the other piece: where vᵀρ ≤ 0 at an end, the next step
   * would bring the ends together.
   *
   * @param first, before  the ends of the first piece
   * @param after, last    those of the other, which begins where the first one ends
   */
  join(
    first: PhasePoint,
    before: PhasePoint,
    after: PhasePoint,
    last: PhasePoint,
    rhoA: MomentumSum,
    rhoB: MomentumSum,
  ): boolean;
}

/** On the host, for any density. */
export class HostPhaseSpace implements PhaseSpace {
  private readonly logDensity: LogDensity;
  private metric: Metric | null = null;

  constructor(logDensity: LogDensity) {
    this.logDensity = logDensity;
  }

  point(): PhasePoint {
    return phasePoint(this.logDensity.dim);
  }

  sum(): MomentumSum {
    return { values: new Float64Array(this.logDensity.dim) };
  }

  begin(metric: Metric): void {
    this.metric = metric;
  }

  complete(point: PhasePoint): void {
    completePoint(point, this.metric!);
  }

  leapfrog(from: PhasePoint, to: PhasePoint, stepSize: number): void {
    leapfrog(this.logDensity, this.metric!, from, to, stepSize);
  }

  join(
    { velocity: first }: PhasePoint,
    before: PhasePoint,
    after: PhasePoint,
    { velocity: last }: PhasePoint,
    { values: a }: MomentumSum,
    { values: b }: MomentumSum,
  ): boolean {
    let [wholeFirst, wholeLast, leftFirst, leftLast, rightFirst, rightLast] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < a.length; i++) {
      const rho = a[i]! + b[i]!;
      const left = a[i]! + after.momentum[i]!;
      const right = b[i]! + before.momentum[i]!;
      wholeFirst += first[i]! * rho;
      wholeLast += last[i]! * rho;
      leftFirst += first[i]! * left;
      leftLast += after.velocity[i]! * left;
      rightFirst += before.velocity[i]! * right;
      rightLast += last[i]! * right;
      a[i] = rho;
    }
    return wholeFirst > 0 && wholeLast > 0 && leftFirst > 0 && leftLast > 0 && rightFirst > 0 && rightLast > 0;
  }
}
