import { MOST_ROWS } from "./kernel.ts";
import { STREAM } from "./random-module.ts";

/** Byte offsets within a point that lies in wasm memory; each vector is filled up to an even number of elements with zeros. */
export interface PointLayout {
  readonly vectorBytes: number;
  readonly u: number;
  readonly gradient: number;
  readonly momentum: number;
  readonly velocity: number;
  readonly natural: number;
  readonly logDensity: number;
  readonly energy: number;
  /** How many places of a trajectory refer to it. */
  readonly references: number;
  readonly bytes: number;
}

export function layoutOf(dim: number): PointLayout {
  const vectorBytes = 16 * Math.ceil(dim / 2);
  const [u, gradient, momentum, velocity, natural, logDensity] = [0, 1, 2, 3, 4, 5].map((i) => i * vectorBytes) as [number, number, number, number, number, number]; // biome-ignore format: one line
  const [energy, references] = [logDensity + 8, logDensity + 16];
  return { vectorBytes, u, gradient, momentum, velocity, natural, logDensity, energy, references, bytes: references + 16 }; // biome-ignore format: one line
}

/** Byte offsets within a piece of trajectory: addresses of points, doublings, log weight, and the sum of the momenta. */
export interface PieceLayout {
  readonly begin: number;
  readonly end: number;
  readonly drawn: number;
  readonly level: number;
  readonly logWeight: number;
  readonly rho: number;
  readonly bytes: number;
}

export const pieceLayout = (dim: number): PieceLayout => {
  const rho = 32;
  return { begin: 0, end: 4, drawn: 8, level: 12, logWeight: 16, rho, bytes: rho + layoutOf(dim).vectorBytes };
};

/**
 * Byte offsets within a chain's memory. First what a transition is given: i32 the doublings at most, how many points there are and where they
 * and the pieces begin, f64 the greatest energy error. Then what it was like: i32 doublings, steps, whether it diverged, the
 * addresses of the point that was drawn and of the last one, f64 the sum of acceptance probabilities. Then what a run of transitions goes on
 * with: i32 whether the step size adapts and the first row that met a log density that is not finite (−1 where none did), f64 the
 * step size, its target acceptance and its dual averaging; i32 where the random stream and the rows begin. Then where the density is: its table,
 * u, its value and its gradient. Last the addresses of points that are not in use, as a stack, pieces (the whole trajectory, then a stack), points, the first being where a transition starts,
 * the stream, and the rows of what a run leaves behind.
 */
export const CHAIN = {
  maxDepth: 0,
  pointCount: 4,
  maxEnergyError: 8,
  depth: 16,
  leapfrogs: 20,
  divergent: 24,
  drawn: 28,
  acceptance: 32,
  last: 40,
  freeCount: 44,
  pieces: 48,
  points: 52,
  adapts: 56,
  nonFiniteRow: 60,
  stepSize: 64,
  target: 72,
  center: 80,
  logStepSize: 88,
  logAverage: 96,
  shortfall: 104,
  count: 112,
  stream: 120,
  rows: 124,
  table: 128,
  place: 132,
  value: 136,
  gradient: 140,
  free: 144,
} as const;

/** Byte offsets within the rows of a run: vectors [MOST_ROWS, dim], numbers and i32 [MOST_ROWS], and the first place [dim] that is not finite. */
export function rowLayout(dim: number) {
  const vectors = 8 * MOST_ROWS * dim;
  const [u, gradient, logDensity] = [0, vectors, 2 * vectors];
  const [energy, stepSize, acceptance, depth] = [1, 2, 3, 4].map((i) => logDensity + 8 * MOST_ROWS * i) as [number, number, number, number]; // biome-ignore format: one line
  const [leapfrogs, divergent, nonFinite] = [1, 2, 3].map((i) => depth + 4 * MOST_ROWS * i) as [number, number, number];
  return { u, gradient, logDensity, energy, stepSize, acceptance, depth, leapfrogs, divergent, nonFinite, bytes: nonFinite + 8 * dim }; // biome-ignore format: one line
}

/** Bytes of a chain's memory, and where its parts begin. */
export function chainLayout(dim: number, maxDepth: number) {
  // Three of the whole, three of each piece on the stack, and the one that comes next.
  const pointCount = 3 * (maxDepth + 2) + 2;
  const pieces = CHAIN.free + 16 * Math.ceil(pointCount / 4);
  const points = pieces + (maxDepth + 2) * pieceLayout(dim).bytes;
  const stream = points + pointCount * layoutOf(dim).bytes;
  const rows = stream + STREAM.bytes;
  return { pointCount, pieces, points, stream, rows, bytes: rows + rowLayout(dim).bytes };
}
