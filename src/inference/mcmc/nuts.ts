import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { type HamiltonianInfo, type HamiltonianKernel, type HamiltonianState, startAt } from "./kernel.ts";
import { NativeChain } from "./native-chain.ts";
import { completePoint, leapfrog, type PhasePoint, phasePoint } from "./phase-point.ts";
import { StepByStep } from "./step-by-step.ts";

export interface NutsOptions {
  /** Doublings of the trajectory at most: 2^maxDepth − 1 gradients. Default 10. */
  readonly maxDepth?: number;
  /** An energy error beyond this ends the trajectory as divergent. Default 1000. */
  readonly maxEnergyError?: number;
}

/** A piece of trajectory. It begins where the extension that made it began, whichever direction of time that was. */
interface Piece {
  begin: PhasePoint;
  end: PhasePoint;
  /** The point drawn from the piece, each in proportion to its weight. */
  drawn: PhasePoint;
  /** log Σ exp(H₀ − H) over its points. */
  logWeight: number;
  /** Doublings that made it. */
  level: number;
  /** Sum of the momenta. */
  readonly rho: Float64Array;
}

/**
 * The No-U-Turn sampler (Hoffman and Gelman, JMLR 15, 2014) with multinomial weights and the generalised criterion of Betancourt
 * ("A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434, appendix A.4.2), and Stan's checks across the
 * two halves of each tree (Stan issue 2800), without which trajectories that are periodic go on for full turns.
 *
 * Trees are built from a stack of pieces, as a binary counter counts: after each step the two topmost pieces are joined while they
 * have equal length. Nothing is allocated within a transition once the points that it needs exist (three for each level).
 */
export function nuts(logDensity: LogDensity, options: NutsOptions = {}): HamiltonianKernel {
  const motion = logDensity.motion?.();
  const { maxDepth = 10, maxEnergyError = 1000 } = options;
  const limits = { maxDepth, maxEnergyError };
  const init = (u: Float64Array): HamiltonianState => startAt(logDensity, u);
  if (motion) {
    const chain = new NativeChain(motion, limits);
    return { init, run: (...run) => chain.run(...run) };
  }
  const trajectory = new Trajectory(logDensity, limits);
  return new StepByStep({ init, step: (state, generator) => trajectory.step(state, generator) }, logDensity.dim);
}

const logAddExp = (a: number, b: number): number => Math.max(a, b) + Math.log(1 + Math.exp(-Math.abs(a - b)));

/**
 * The scratch memory of a chain's trajectories on the host, for any density. A class, so that all chains run the same compiled methods.
 * What it does, transition-module.ts does in the memory of a compiled density.
 */
class Trajectory {
  private readonly logDensity: LogDensity;
  private readonly maxDepth: number;
  private readonly maxEnergyError: number;
  private readonly points: PhasePoint[] = [];
  /** Points that are not in use, as a stack. */
  private readonly free: PhasePoint[] = [];
  private freeCount = 0;
  private readonly stack: Piece[];
  private readonly whole: Piece;

  constructor(logDensity: LogDensity, { maxDepth, maxEnergyError }: Required<NutsOptions>) {
    const { dim } = logDensity;
    this.logDensity = logDensity;
    this.maxDepth = maxDepth;
    this.maxEnergyError = maxEnergyError;
    const nowhere = phasePoint(dim);
    const piece = (): Piece => ({
      begin: nowhere,
      end: nowhere,
      drawn: nowhere,
      logWeight: 0,
      level: 0,
      rho: new Float64Array(dim),
    });
    this.stack = Array.from({ length: maxDepth + 1 }, piece);
    this.whole = piece();
  }

  step(state: HamiltonianState, generator: Generator): [HamiltonianState, HamiltonianInfo] {
    const { metric } = state;
    const { logDensity, whole, stack, maxDepth, maxEnergyError } = this;
    this.releaseAll();
    const start = this.take();
    start.u.set(state.u);
    start.gradient.set(state.gradient);
    start.logDensity = state.logDensity;
    metric.draw(generator, start.momentum);
    completePoint(start, metric);
    const { energy } = start;
    this.setSingle(whole, start, 0);

    let depth = 0;
    let leapfrogs = 0;
    let acceptance = 0;
    let divergent = false;
    let nonFinite: Float64Array | null = null;
    let forwards = true;
    let going = true;
    while (going && depth < maxDepth) {
      const direction = generator.word() < 0x80000000;
      if (direction !== forwards) {
        // The piece begins at its other end.
        const { begin } = whole;
        whole.begin = whole.end;
        whole.end = begin;
        forwards = direction;
      }
      const stepSize = forwards ? state.stepSize : -state.stepSize;
      let top = -1;
      let from = whole.end;
      for (let left = 2 ** depth; left > 0 && going; left--) {
        const to = this.take();
        leapfrog(logDensity, metric, from, to, stepSize);
        from = to;
        leapfrogs++;
        const change = energy - to.energy;
        acceptance += change >= 0 ? 1 : Math.exp(change);
        divergent = change < -maxEnergyError;
        going = !divergent;
        if (divergent) {
          if (!Number.isFinite(to.logDensity)) nonFinite = to.u.slice();
          break;
        }
        this.setSingle(stack[++top]!, to, change);
        while (top > 0 && stack[top - 1]!.level === stack[top]!.level) {
          const b = stack[top--]!;
          const a = stack[top]!;
          going = this.join(a, b);
          if (!going) break;
          // From the joined piece, each point in proportion to its weight.
          this.choose(a, b, Math.log(generator.uniform()) < b.logWeight - a.logWeight);
        }
      }
      if (!going) break;
      depth++;
      // Biased progressive sampling: the new half wins with probability min(1, its weight over that of the old one).
      const b = stack[0]!;
      const takeB = Math.log(generator.uniform()) < b.logWeight - whole.logWeight;
      going = this.join(whole, b);
      this.choose(whole, b, takeB);
    }
    const { drawn } = whole;
    return [
      { ...state, u: drawn.u.slice(), logDensity: drawn.logDensity, gradient: drawn.gradient.slice() },
      { energy: drawn.energy, depth, divergent, acceptance: acceptance / leapfrogs, leapfrogs, nonFinite },
    ];
  }

  private take(): PhasePoint {
    if (this.freeCount > 0) {
      const point = this.free[--this.freeCount]!;
      point.references = 0;
      return point;
    }
    const point = phasePoint(this.logDensity.dim);
    this.points.push(point);
    return point;
  }

  private release(point: PhasePoint): void {
    if (--point.references === 0) this.free[this.freeCount++] = point;
  }

  private releaseAll(): void {
    const { points, free } = this;
    for (let i = 0; i < points.length; i++) free[i] = points[i]!;
    this.freeCount = points.length;
  }

  private setSingle(target: Piece, point: PhasePoint, logWeight: number): void {
    target.begin = target.end = target.drawn = point;
    point.references = 3;
    target.logWeight = logWeight;
    target.level = 0;
    target.rho.set(point.momentum);
  }

  /**
   * Joins b, which begins where a ends, to a: ends, weights and momenta, not yet the draw. False when the joined trajectory turns back,
   * or a with b's first point does, or a's last point with b: where vᵀρ ≤ 0 at an end, the next step would bring the ends together.
   */
  private join(a: Piece, b: Piece): boolean {
    const [first, before, after, last] = [a.begin, a.end, b.begin, b.end];
    let [wholeFirst, wholeLast, leftFirst, leftLast, rightFirst, rightLast] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < a.rho.length; i++) {
      const rho = a.rho[i]! + b.rho[i]!;
      const left = a.rho[i]! + after.momentum[i]!;
      const right = b.rho[i]! + before.momentum[i]!;
      wholeFirst += first.velocity[i]! * rho;
      wholeLast += last.velocity[i]! * rho;
      leftFirst += first.velocity[i]! * left;
      leftLast += after.velocity[i]! * left;
      rightFirst += before.velocity[i]! * right;
      rightLast += last.velocity[i]! * right;
      a.rho[i] = rho;
    }
    this.release(before);
    this.release(after);
    a.end = last;
    a.logWeight = logAddExp(a.logWeight, b.logWeight);
    a.level++;
    return wholeFirst > 0 && wholeLast > 0 && leftFirst > 0 && leftLast > 0 && rightFirst > 0 && rightLast > 0;
  }

  private choose(a: Piece, b: Piece, takeB: boolean): void {
    this.release(takeB ? a.drawn : b.drawn);
    if (takeB) a.drawn = b.drawn;
  }
}
