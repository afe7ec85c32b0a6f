import type { Generator } from "../../base/generator.ts";
import type { HamiltonianInfo, HamiltonianState } from "./kernel.ts";
import type { Metric } from "./metric.ts";
import type { NativeMotion } from "./native-motion.ts";
import { layoutOf, type PointLayout, TRANSITION, trajectoryLayout } from "./point-layout.ts";

/** Numbers of the memory that vectors are taken from. */
const SPARE = 2048;

/** A loop: for a few numbers `set` takes longer to call. */
function copy(from: Float64Array, to: Float64Array, at: number): void {
  for (let i = 0; i < from.length; i++) to[at + i] = from[i]!;
}

/** A chain's trajectories in the memory of a compiled density: the host draws the momentum, and calls once for each transition. */
export class NativeTrajectory {
  private readonly motion: NativeMotion;
  private readonly layout: PointLayout;
  /** Addresses of the chain's memory, and of the point where a transition starts. */
  private readonly base: number;
  private readonly start: number;
  private readonly bytes: number;
  /** All of that memory, and its first words. */
  private numbers!: Float64Array;
  private words!: Int32Array;
  private metric: Metric | null = null;
  private mass = 0;
  private massBytes = 0;
  private dense = 0;
  private readonly momentum: Float64Array;
  /** Memory for the vectors of states, and how many of its numbers are taken. */
  private spare = new ArrayBuffer(0);
  private spareFrom = SPARE;

  constructor(motion: NativeMotion, { maxDepth, maxEnergyError }: { maxDepth: number; maxEnergyError: number }) {
    this.motion = motion;
    const { dim } = motion;
    this.layout = layoutOf(dim);
    const { bytes, pointCount, pieces, points } = trajectoryLayout(dim, maxDepth);
    this.base = motion.allocate(bytes);
    this.start = this.base + points;
    this.bytes = bytes;
    this.momentum = new Float64Array(dim);
    this.look();
    const given = { maxDepth, pointCount, pieces, points };
    for (const [name, value] of Object.entries(given)) this.words[TRANSITION[name as keyof typeof given] / 4] = value;
    this.numbers[TRANSITION.maxEnergyError / 8] = maxEnergyError;
  }

  step(state: HamiltonianState, generator: Generator): [HamiltonianState, HamiltonianInfo] {
    const { motion, layout, momentum } = this;
    const { metric, stepSize } = state;
    if (metric !== this.metric) this.setMetric(metric);
    // Memory that has grown since leaves views of length 0 behind.
    if (this.numbers.length === 0) this.look();
    const { numbers, words } = this;
    const start = this.place(this.start, 0);
    metric.draw(generator, momentum);
    copy(state.u, numbers, start + layout.u / 8);
    copy(state.gradient, numbers, start + layout.gradient / 8);
    copy(momentum, numbers, start + layout.momentum / 8);
    numbers[start + layout.logDensity / 8] = state.logDensity;
    motion.code.choices.generator = generator;
    motion.code.transition(this.base, this.mass, this.dense, stepSize);
    const leapfrogs = words[TRANSITION.leapfrogs / 4]!;
    const drawn = words[TRANSITION.drawn / 4]!;
    const divergent = words[TRANSITION.divergent / 4] === 1;
    const last = words[TRANSITION.last / 4]!;
    const isFinite = !divergent || Number.isFinite(this.numberAt(last, layout.logDensity));
    const next = {
      ...state,
      u: this.vectorAt(drawn, layout.u),
      logDensity: this.numberAt(drawn, layout.logDensity),
      gradient: this.vectorAt(drawn, layout.gradient),
    };
    const info = {
      energy: this.numberAt(drawn, layout.energy),
      depth: words[TRANSITION.depth / 4]!,
      divergent,
      acceptance: numbers[TRANSITION.acceptance / 8]! / leapfrogs,
      leapfrogs,
      nonFinite: isFinite ? null : this.vectorAt(last, layout.u),
    };
    return [next, info];
  }

  /** Where part of a point lies among the numbers. */
  private place(point: number, offset: number): number {
    return ((point >>> 0) - this.base + offset) / 8;
  }

  private numberAt(point: number, offset: number): number {
    return this.numbers[this.place(point, offset)]!;
  }

  /** A copy. Small arrays are views of larger ones: the engine takes long to make each a memory of its own. */
  private vectorAt(point: number, offset: number): Float64Array {
    const { numbers } = this;
    const dim = this.momentum.length;
    if (this.spareFrom + dim > SPARE) {
      this.spare = new ArrayBuffer(8 * Math.max(SPARE, dim));
      this.spareFrom = 0;
    }
    const out = new Float64Array(this.spare, 8 * this.spareFrom, dim);
    this.spareFrom += dim;
    const from = this.place(point, offset);
    for (let i = 0; i < dim; i++) out[i] = numbers[from + i]!;
    return out;
  }

  private setMetric(metric: Metric): void {
    const { dim, memory, allocate } = this.motion;
    const { vectorBytes } = this.layout;
    const { kind, inverseMass } = metric;
    const rows = kind === "dense" ? dim : 1;
    if (rows * vectorBytes > this.massBytes) {
      this.massBytes = rows * vectorBytes;
      this.mass = allocate(this.massBytes);
    }
    const values = new Float64Array(memory.buffer, this.mass, (rows * vectorBytes) / 8);
    // By columns, each filled up to an even length.
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < dim; i++) values[(j * vectorBytes) / 8 + i] = inverseMass[rows === 1 ? i : i * dim + j]!;
    this.dense = kind === "dense" ? 1 : 0;
    this.metric = metric;
  }

  /** Looks at the memory as it is now. */
  private look(): void {
    const { buffer } = this.motion.memory;
    this.numbers = new Float64Array(buffer, this.base, this.bytes / 8);
    this.words = new Int32Array(buffer, this.base, TRANSITION.free / 4);
  }
}
