/** R-hat up to which halves of a window count as draws from one distribution (Dhaka et al. 2020). */
const STATIONARY = 1.1;
/** Share of the parameters that must be stationary: of a network's many a few always wander. */
const SHARE = 0.95;

interface Block {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** What a stochastic fit did at one learning rate, in blocks of steps: means and variances of each parameter, and of the objective. */
export class IterateTrace {
  private readonly size: number;
  private readonly kept: Block[] = [];
  /** The objective of the first step. */
  private first = Number.NaN;

  constructor(size: number) {
    this.size = size;
  }

  get blocks(): number {
    return this.kept.length;
  }

  /** The mean objective of the last block. */
  get lastObjective(): number {
    return this.kept.at(-1)!.mean[this.size]!;
  }

  /** Whether the objective of the last block lies below that of the very first step, or within its noise of it. */
  get improved(): boolean {
    const last = this.kept.at(-1)!;
    const noise = Math.sqrt(last.variance[this.size]!);
    if (!Number.isFinite(noise)) return false;
    return !Number.isFinite(this.first) || last.mean[this.size]! <= this.first + 4 * noise;
  }

  /** The block whose mean objective is lowest, with its sd from step to step. */
  get lowest(): { readonly objective: number; readonly noise: number } {
    const { size } = this;
    const low = this.kept.reduce((a, b) => (b.mean[size]! < a.mean[size]! ? b : a));
    return { objective: low.mean[size]!, noise: Math.sqrt(low.variance[size]!) };
  }

  /** The median of the window's objectives, block by block: single draws far out do not move it. */
  get level(): number {
    const objectives = this.window().map(({ mean }) => mean[this.size]!);
    return objectives.sort((a, b) => a - b)[Math.floor(objectives.length / 2)]!;
  }

  /** Adds a block from sums and sums of squares over its steps; steps whose objective was not finite are left out of its trace. */
  add(sum: Float64Array, squares: Float64Array, objective: Float64Array): void {
    const steps = objective.length;
    if (!this.kept.length) this.first = objective[0]!;
    const mean = new Float64Array(this.size + 1);
    const variance = new Float64Array(this.size + 1);
    for (let j = 0; j < this.size; j++) {
      mean[j] = sum[j]! / steps;
      variance[j] = Math.max(0, squares[j]! / steps - mean[j]! ** 2);
    }
    const finite = objective.filter(Number.isFinite);
    const middle = finite.reduce((a, b) => a + b, 0) / finite.length;
    mean[this.size] = middle;
    variance[this.size] = finite.reduce((a, b) => a + (b - middle) ** 2, 0) / finite.length;
    this.kept.push({ mean, variance });
  }

  /** The later half of the blocks, an even number of them. */
  private window(): readonly Block[] {
    const half = Math.ceil(this.kept.length / 4);
    return this.kept.slice(-2 * half);
  }

  /** Averages of the window's parameters over its first and its second half. */
  halves(): [Float64Array, Float64Array] {
    const window = this.window();
    const middle = window.length / 2;
    return [this.meanOf(window.slice(0, middle)), this.meanOf(window.slice(middle))];
  }

  /** Average of the parameters over the window. */
  average(): Float64Array {
    return this.meanOf(this.window());
  }

  private meanOf(blocks: readonly Block[]): Float64Array {
    const mean = new Float64Array(this.size);
    for (const block of blocks) for (let j = 0; j < this.size; j++) mean[j]! += block.mean[j]! / blocks.length;
    return mean;
  }

  /** Whether the objective still comes down: from one half of the window to the other by more than twice its standard error. */
  isImproving(): boolean {
    const window = this.window().map(({ mean }) => mean[this.size]!);
    const middle = window.length / 2;
    const [left, right] = [spreadOf(window.slice(0, middle)), spreadOf(window.slice(middle))];
    return left.mean - right.mean > 2 * Math.sqrt((left.variance + right.variance) / middle);
  }

  /** Whether nearly all parameters look alike in the two halves of the window. */
  isStationary(): boolean {
    const window = this.window();
    const middle = window.length / 2;
    const [left, right] = [window.slice(0, middle), window.slice(middle)];
    let alike = 0;
    for (let j = 0; j < this.size; j++) {
      const [a, b] = [momentsAt(left, j), momentsAt(right, j)];
      const within = (a.variance + b.variance) / 2;
      const between = (a.mean - b.mean) ** 2 / 2;
      if (between === 0 || Math.sqrt(1 + between / within) < STATIONARY) alike++;
    }
    return alike >= SHARE * this.size;
  }
}

/** Mean and variance of a few numbers. */
function spreadOf(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, values.length - 1) };
}

/** Mean and variance of one entry over all steps of some blocks. */
function momentsAt(blocks: readonly Block[], j: number): { mean: number; variance: number } {
  let mean = 0;
  for (const block of blocks) mean += block.mean[j]! / blocks.length;
  let variance = 0;
  for (const block of blocks) variance += (block.variance[j]! + (block.mean[j]! - mean) ** 2) / blocks.length;
  return { mean, variance };
}
