import { BUFFER_WORDS, type Generator, type GeneratorState } from "../../base/generator.ts";
import type { Adaptation, HamiltonianRun, HamiltonianState } from "./kernel.ts";
import type { Metric } from "./metric.ts";
import type { NativeMotion } from "./native-motion.ts";
import { CHAIN, chainLayout, layoutOf, rowLayout } from "./point-layout.ts";
import { STREAM, writeZiggurat } from "./random-module.ts";

/** A chain in the memory of a compiled density: the host calls once for each run of transitions. */
export class NativeChain {
  private readonly motion: NativeMotion;
  private readonly layout: ReturnType<typeof chainLayout>;
  /** Where its memory begins. */
  private readonly base: number;
  /** All of that memory, as numbers and as words. */
  private numbers!: Float64Array;
  private words!: Int32Array;
  private metric: Metric | null = null;
  private mass = 0;
  private massBytes = 0;
  private scale = 0;

  constructor(motion: NativeMotion, { maxDepth, maxEnergyError }: { maxDepth: number; maxEnergyError: number }) {
    this.motion = motion;
    this.layout = chainLayout(motion.dim, maxDepth);
    this.base = motion.allocate(this.layout.bytes);
    this.look();
    const { pointCount, pieces, points, stream, rows } = this.layout;
    const given = { maxDepth, pointCount, pieces, points, stream, rows, ...motion.places };
    for (const [name, value] of Object.entries(given)) this.words[CHAIN[name as keyof typeof given] / 4] = value;
    this.numbers[CHAIN.maxEnergyError / 8] = maxEnergyError;
    writeZiggurat(motion.memory.buffer, this.base + stream);
  }

  run(state: HamiltonianState, generator: Generator, count: number, adaptation: Adaptation | null): HamiltonianRun {
    const { motion, layout } = this;
    const { metric } = state;
    if (metric !== this.metric) this.setMetric(metric);
    // Memory that has grown since leaves views of length 0 behind.
    if (this.numbers.length === 0) this.look();
    const { numbers, words } = this;
    const point = layoutOf(motion.dim);
    numbers.set(state.u, (layout.points + point.u) / 8);
    numbers.set(state.gradient, (layout.points + point.gradient) / 8);
    numbers[(layout.points + point.logDensity) / 8] = state.logDensity;
    numbers[CHAIN.stepSize / 8] = state.stepSize;
    words[CHAIN.adapts / 4] = adaptation ? 1 : 0;
    if (adaptation) {
      const { averaging, target } = adaptation;
      numbers[CHAIN.target / 8] = target;
      for (const name of AVERAGED) numbers[CHAIN[name] / 8] = averaging[name];
    }
    this.writeStream(generator.state);
    motion.code.transitions(this.base, this.mass, this.scale, Number(metric.kind === "dense"), count);
    generator.state = this.readStream();
    return this.result(state, count, adaptation);
  }

  private result(state: HamiltonianState, count: number, adaptation: Adaptation | null): HamiltonianRun {
    const { numbers, words, layout, motion } = this;
    const { dim } = motion;
    const row = rowLayout(dim);
    const numbersAt = (offset: number, length: number): Float64Array => {
      const at = (layout.rows + offset) / 8;
      return numbers.subarray(at, at + length);
    };
    const wordsAt = (offset: number): Int32Array => {
      const at = (layout.rows + offset) / 4;
      return words.subarray(at, at + count);
    };
    const [u, gradient] = [numbersAt(row.u, count * dim), numbersAt(row.gradient, count * dim)];
    const logDensity = numbersAt(row.logDensity, count);
    const nonFiniteRow = words[CHAIN.nonFiniteRow / 4]!;
    const averaged = (name: (typeof AVERAGED)[number]): number => numbers[CHAIN[name] / 8]!;
    return {
      state: {
        ...state,
        u: u.slice(-dim),
        gradient: gradient.slice(-dim),
        logDensity: logDensity[count - 1]!,
        stepSize: numbers[CHAIN.stepSize / 8]!,
      },
      averaging: adaptation && {
        center: averaged("center"),
        logStepSize: averaged("logStepSize"),
        logAverage: averaged("logAverage"),
        shortfall: averaged("shortfall"),
        count: averaged("count"),
      },
      rows: {
        count,
        u,
        gradient,
        logDensity,
        energy: numbersAt(row.energy, count),
        stepSize: numbersAt(row.stepSize, count),
        acceptance: numbersAt(row.acceptance, count),
        depth: wordsAt(row.depth),
        leapfrogs: wordsAt(row.leapfrogs),
        divergent: wordsAt(row.divergent),
        nonFinite: nonFiniteRow < 0 ? null : { row: nonFiniteRow, at: numbersAt(row.nonFinite, dim).slice() },
      },
    };
  }

  private writeStream({ key, low, high, at, words }: GeneratorState): void {
    const from = this.layout.stream / 4;
    this.words.set([...key, low, high, at], from);
    this.words.set(words, from + STREAM.words / 4);
  }

  private readStream(): GeneratorState {
    const from = this.layout.stream / 4;
    const [k0, k1, low, high, at] = new Uint32Array(this.words.slice(from, from + 5)) as unknown as [number, number, number, number, number]; // biome-ignore format: one line
    const words = from + STREAM.words / 4;
    return { key: [k0, k1], low, high, at, words: new Uint32Array(this.words.subarray(words, words + BUFFER_WORDS)) };
  }

  private setMetric(metric: Metric): void {
    const { dim, memory, allocate } = this.motion;
    const { vectorBytes } = layoutOf(dim);
    const { kind, inverseMass, scale } = metric;
    const rows = kind === "dense" ? dim : 1;
    const bytes = rows * vectorBytes;
    if (bytes > this.massBytes) {
      this.massBytes = bytes;
      this.mass = allocate(2 * bytes);
    }
    this.scale = this.mass + bytes;
    const values = new Float64Array(memory.buffer, this.mass, bytes / 8);
    // By columns, each filled up to an even length.
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < dim; i++) values[(j * vectorBytes) / 8 + i] = inverseMass[rows === 1 ? i : i * dim + j]!;
    new Float64Array(memory.buffer, this.scale, rows * dim).set(scale);
    this.metric = metric;
  }

  /** Looks at the memory as it is now. */
  private look(): void {
    const { buffer } = this.motion.memory;
    this.numbers = new Float64Array(buffer, this.base, this.layout.bytes / 8);
    this.words = new Int32Array(buffer, this.base, this.layout.bytes / 4);
  }
}

const AVERAGED = ["center", "logStepSize", "logAverage", "shortfall", "count"] as const;
