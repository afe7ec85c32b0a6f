import { Generator } from "../base/generator.ts";
import { fixedNoise } from "./fixed-noise.ts";
import type { Problem } from "./problem.ts";

/** At most so many coordinates have covariances with one another. */
const MOST_TOGETHER = 60;
/** Up to so many latent coordinates all of them are uncorrelated over the fixed draws, beyond that those of a block. */
const MOST_UNCORRELATED = 250;
const LEAST_DRAWS = 64;
const START_SD = 0.3;
const LOG_2PI = Math.log(2 * Math.PI);

/** Coordinates that q holds together: all where they are few, else those of one element of a plate. */
function blocksOf({ coordinates, layout }: Pick<Problem, "coordinates" | "layout">): number[][] {
  const latent = coordinates.filter((c) => c.kind === "sample");
  const few = latent.reduce((n, c) => n + c.size, 0) <= MOST_TOGETHER;
  const outermost = new Map(layout.sites.map((site) => [site.name, site.plates[0]]));
  const blocks = new Map<string, number[]>();
  for (const { name, offset, size } of latent) {
    const plate = few ? undefined : outermost.get(name);
    const width = plate?.kind === "plate" ? size / plate.size : size;
    for (let i = 0; i < size; i++) {
      const key = plate ? `${plate.name} ${Math.floor(i / width)}` : "";
      if (!blocks.has(key)) blocks.set(key, []);
      blocks.get(key)!.push(offset + i);
    }
  }
  return [...blocks.values()].flatMap((block) => (block.length <= MOST_TOGETHER ? [block] : block.map((c) => [c])));
}

/** Noise of all blocks beside one another, [draws, latent]. */
function noiseOf(blocks: readonly number[][], draws: number, seed: number): Float64Array {
  const all = blocks.reduce((n, b) => n + b.length, 0);
  if (all <= MOST_UNCORRELATED) return fixedNoise(draws, all, seed);
  const noise = new Float64Array(draws * all);
  let from = 0;
  for (const { length } of blocks) {
    const own = fixedNoise(draws, length, new Generator(seed, "block", from).word());
    for (let s = 0; s < draws; s++) noise.set(own.subarray(s * length, (s + 1) * length), s * all + from);
    from += length;
  }
  return noise;
}

/**
 * A Gaussian on the latent coordinates with covariances within blocks, and fixed draws of it that are exact for quadratics within a
 * block. Its parameters are the means, then the blocks' Cholesky factors by rows, their diagonals as logarithms.
 */
export class BlockDraws {
  readonly size: number;
  readonly draws: number;
  /** The coordinate that each mean is of. */
  private readonly places: readonly number[];
  /** By mean: the first of its block, and where its row of the factor begins. */
  private readonly first: readonly number[];
  private readonly rows: readonly number[];
  private readonly noise: Float64Array;

  constructor(problem: Pick<Problem, "coordinates" | "layout">, seed: number) {
    const blocks = blocksOf(problem);
    this.places = blocks.flat();
    const k = this.places.length;
    const largest = blocks.reduce((most, b) => Math.max(most, b.length), 0);
    const wanted = k <= MOST_UNCORRELATED ? 2 * (k + 1) : 0;
    this.draws = k === 0 ? 1 : Math.max(LEAST_DRAWS, wanted, 4 * largest);
    this.noise = noiseOf(blocks, this.draws, seed);
    let begin = 0;
    this.first = blocks.flatMap((b) => {
      const own = b.map(() => begin);
      begin += b.length;
      return own;
    });
    let at = k;
    this.rows = this.first.map((from, i) => {
      const row = at;
      at += i - from + 1;
      return row;
    });
    this.size = at;
  }

  /** Means 0, and small sds. */
  start(): Float64Array {
    const params = new Float64Array(this.size);
    for (const i of this.places.keys()) params[this.diagonal(i)] = Math.log(START_SD);
    return params;
  }

  /** The coordinate of each mean, with its value. */
  means(params: Float64Array): [coordinate: number, mean: number][] {
    return this.places.map((c, i) => [c, params[i]!]);
  }

  /** Writes the draws into their columns of x [draws, dim]. */
  write(params: Float64Array, x: Float64Array, dim: number): void {
    const { places, first, rows, noise, draws } = this;
    const k = places.length;
    for (let i = 0; i < k; i++) {
      const [from, row, sd] = [first[i]!, rows[i]!, Math.exp(params[this.diagonal(i)]!)];
      for (let s = 0; s < draws; s++) {
        let z = params[i]! + sd * noise[s * k + i]!;
        for (let j = from; j < i; j++) z += params[row + j - from]! * noise[s * k + j]!;
        x[s * dim + places[i]!] = z;
      }
    }
  }

  /** −E log q, and the gradient of −mean_s f(x_s) − entropy by the parameters, given that of f by x [draws, dim]. */
  negEntropy(params: Float64Array, slopes: Float64Array, dim: number, gradient: Float64Array): number {
    const { places, first, rows, noise, draws } = this;
    const k = places.length;
    gradient.fill(0);
    let total = 0;
    for (let i = 0; i < k; i++) {
      const [from, row, own] = [first[i]!, rows[i]!, this.diagonal(i)];
      const sd = Math.exp(params[own]!);
      for (let s = 0; s < draws; s++) {
        const slope = -slopes[s * dim + places[i]!]! / draws;
        gradient[i]! += slope;
        for (let j = from; j < i; j++) gradient[row + j - from]! += slope * noise[s * k + j]!;
        gradient[own]! += slope * noise[s * k + i]! * sd;
      }
      total -= params[own]! + 0.5 * (1 + LOG_2PI);
      gradient[own]! -= 1;
    }
    return total;
  }

  private diagonal(i: number): number {
    return this.rows[i]! + i - this.first[i]!;
  }
}
