import { Generator } from "../../base/generator.ts";
import type { SampledPlate, Subsampling } from "../subsampling.ts";

/** Elements of one plate that stand for all in a step. */
export interface BatchRows {
  /** Their numbers; where there are fewer than are held, the first is repeated. */
  readonly index: Uint32Array;
  /** How many each stands for. */
  readonly copies: Float64Array;
  /** Where each element of the plate is among them; of those that are not, what was there before. */
  readonly places: Uint32Array;
  /** How many of them count. */
  readonly used: number;
}

/**
 * What an element counts for that only fills up a batch. By a power of two its share can be multiplied and divided without rounding,
 * and beside the others it is nothing.
 */
const FILLING = 2 ** -500;

/** Steps in which all elements are seen once: their batches have the same size, or one element more. */
export const stepsPerEpoch = (size: number, batch: number): number => Math.ceil(size / batch);

/** Elements of the plates that go with each of the first plate's. */
export class Batches {
  readonly steps: number;
  readonly plates: readonly SampledPlate[];
  private readonly seed: number;
  private readonly members: readonly { readonly starts: Uint32Array; readonly rows: Uint32Array }[];
  private readonly places: readonly Uint32Array[];
  private epoch = -1;
  private order: Uint32Array;

  constructor({ plates }: Subsampling, batch: number, seed: number) {
    const { size } = plates[0]!;
    this.plates = plates;
    this.seed = seed;
    this.steps = stepsPerEpoch(size, batch);
    this.members = plates.slice(1).map(({ owners }) => grouped(owners!, size));
    this.places = plates.map((p) => new Uint32Array(p.size));
    this.order = Uint32Array.from({ length: size }, (_, i) => i);
  }

  /** Numbers of the first plate's elements in one step, and of those that go with them. */
  rowsOf(epoch: number, step: number): Uint32Array[] {
    const { size } = this.plates[0]!;
    if (epoch !== this.epoch) {
      this.order = shuffled(size, new Generator(this.seed, "svi order", epoch));
      this.epoch = epoch;
    }
    return this.withMembers(this.order.subarray(...this.range(step)));
  }

  /** The same in the order of the plate. */
  inOrder(step: number): Uint32Array[] {
    const [from, to] = this.range(step);
    return this.withMembers(Uint32Array.from({ length: to - from }, (_, i) => from + i));
  }

  private range(step: number): [number, number] {
    const { size } = this.plates[0]!;
    return [Math.floor((step * size) / this.steps), Math.floor(((step + 1) * size) / this.steps)];
  }

  private withMembers(rows: Uint32Array): Uint32Array[] {
    return [
      rows,
      ...this.members.map(({ starts, rows: all }) => {
        const parts = Array.from(rows, (r) => all.subarray(starts[r]!, starts[r + 1]!));
        const joined = new Uint32Array(parts.reduce((n, p) => n + p.length, 0));
        let at = 0;
        for (const p of parts) {
          joined.set(p, at);
          at += p.length;
        }
        return joined;
      }),
    ];
  }

  /** Rows as they stand in memory of the given sizes, each counting for `copies`. */
  held(rows: readonly Uint32Array[], sizes: readonly number[], copies: number): BatchRows[] {
    return rows.map((own, p) => {
      const index = new Uint32Array(sizes[p]!).fill(own[0] ?? 0);
      index.set(own);
      const places = this.places[p]!;
      for (const [i, r] of own.entries()) places[r] = i;
      return {
        index,
        copies: new Float64Array(sizes[p]!).fill(FILLING).fill(copies, 0, own.length),
        places,
        used: own.length,
      };
    });
  }

  /** How many elements of each plate the steps of an epoch need at most. */
  sizesFor(epoch: number): number[] {
    const most = this.plates.map(() => 1);
    for (let step = 0; step < this.steps; step++) {
      for (const [p, rows] of this.rowsOf(epoch, step).entries()) most[p] = Math.max(most[p]!, rows.length);
    }
    return most;
  }
}

/** Rows by their owner: those of owner o are rows[starts[o] … starts[o + 1]). */
function grouped(owners: Int32Array, count: number): { starts: Uint32Array; rows: Uint32Array } {
  const starts = new Uint32Array(count + 1);
  for (const o of owners) starts[o + 1]!++;
  for (let o = 0; o < count; o++) starts[o + 1]! += starts[o]!;
  const next = starts.slice();
  const rows = new Uint32Array(owners.length);
  for (const [i, o] of owners.entries()) rows[next[o]!++] = i;
  return { starts, rows };
}

/** Fisher and Yates. */
function shuffled(size: number, generator: Generator): Uint32Array {
  const order = Uint32Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = generator.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
