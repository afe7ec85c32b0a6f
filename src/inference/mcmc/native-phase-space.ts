import type { Metric } from "./metric.ts";
import type { NativeMotion } from "./native-motion.ts";
import type { PhasePoint } from "./phase-point.ts";
import type { MomentumSum, PhaseSpace } from "./phase-space.ts";
import { layoutOf, type PointLayout } from "./point-layout.ts";

class NativePoint implements PhasePoint {
  readonly address: number;
  u!: Float64Array;
  gradient!: Float64Array;
  momentum!: Float64Array;
  velocity!: Float64Array;
  natural!: Float64Array;
  /** Log density and energy. */
  private numbers!: Float64Array;
  references = 0;

  constructor(address: number) {
    this.address = address;
  }

  look(buffer: ArrayBufferLike, dim: number, at: PointLayout): void {
    const part = (offset: number, count: number) => new Float64Array(buffer, this.address + offset, count);
    this.u = part(at.u, dim);
    this.gradient = part(at.gradient, dim);
    this.momentum = part(at.momentum, dim);
    this.velocity = part(at.velocity, dim);
    this.natural = part(at.natural, dim);
    this.numbers = part(at.logDensity, 2);
  }

  get logDensity(): number {
    return this.numbers[0]!;
  }
  set logDensity(value: number) {
    this.numbers[0] = value;
  }
  get energy(): number {
    return this.numbers[1]!;
  }
  set energy(value: number) {
    this.numbers[1] = value;
  }
}

class NativeSum implements MomentumSum {
  readonly address: number;
  values!: Float64Array;

  constructor(address: number) {
    this.address = address;
  }
}

/** Points that are made at a time. */
const BLOCK = 40;

/** Trajectories in the memory of a compiled density: the host calls once for each step, and for each pair of pieces that are joined. */
export class NativePhaseSpace implements PhaseSpace {
  private readonly motion: NativeMotion;
  private readonly layout: PointLayout;
  private readonly points: NativePoint[] = [];
  private readonly sums: NativeSum[] = [];
  private made = 0;
  private metric: Metric | null = null;
  private mass = 0;
  private massBytes = 0;
  private dense = 0;

  constructor(motion: NativeMotion) {
    this.motion = motion;
    this.layout = layoutOf(motion.dim);
  }

  point(): PhasePoint {
    if (this.made === this.points.length) {
      const { bytes } = this.layout;
      const first = this.motion.allocate(BLOCK * bytes);
      const { buffer } = this.motion.memory;
      for (let i = 0; i < BLOCK; i++) {
        const point = new NativePoint(first + i * bytes);
        point.look(buffer, this.motion.dim, this.layout);
        this.points.push(point);
      }
      this.lookAnew();
    }
    return this.points[this.made++]!;
  }

  sum(): MomentumSum {
    const sum = new NativeSum(this.motion.allocate(this.layout.vectorBytes));
    sum.values = new Float64Array(this.motion.memory.buffer, sum.address, this.motion.dim);
    this.sums.push(sum);
    this.lookAnew();
    return sum;
  }

  begin(metric: Metric): void {
    if (metric !== this.metric) this.setMetric(metric);
    this.lookAnew();
  }

  complete(point: PhasePoint): void {
    this.motion.code.complete((point as NativePoint).address, this.mass, this.dense);
  }

  leapfrog(from: PhasePoint, to: PhasePoint, stepSize: number): void {
    const { code } = this.motion;
    code.leapfrog((from as NativePoint).address, (to as NativePoint).address, this.mass, this.dense, stepSize);
  }

  join(
    first: PhasePoint,
    before: PhasePoint,
    after: PhasePoint,
    last: PhasePoint,
    rhoA: MomentumSum,
    rhoB: MomentumSum,
  ): boolean {
    return (
      this.motion.code.join(
        (first as NativePoint).address,
        (before as NativePoint).address,
        (after as NativePoint).address,
        (last as NativePoint).address,
        (rhoA as NativeSum).address,
        (rhoB as NativeSum).address,
      ) === 1
    );
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

  /** Memory that has grown since leaves views of length 0 behind. */
  private lookAnew(): void {
    if (this.points[0]?.u.length !== 0 && this.sums[0]?.values.length !== 0) return;
    const { buffer } = this.motion.memory;
    const { dim } = this.motion;
    for (const point of this.points) point.look(buffer, dim, this.layout);
    for (const sum of this.sums) sum.values = new Float64Array(buffer, sum.address, dim);
  }
}
