import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { Block } from "../cavi/blocks/block.ts";
import { anyTensor } from "../cavi/cavi.ts";
import { carriedFrom } from "../cavi/earlier.ts";
import { type Division, dividedBy } from "../cavi/local-sweeps.ts";
import { isBound } from "../cavi/moments.ts";
import { kindsOf, type Starts, startsOf } from "../cavi/start.ts";
import type { StoredFit } from "../cavi/stored-fit.ts";
import { structureOf } from "../cavi/structure.ts";
import { type Setting, stateKey, stateShapes } from "../cavi/sweep.ts";
import type { Problem } from "../problem.ts";
import type { Slice } from "../slicer.ts";
import type { Subsampling } from "../subsampling.ts";
import type { Batches } from "./batches.ts";
import { boundsOf, type SviOptions, structureOptions } from "./options.ts";
import { averageShapes, compileSteps, type Steps } from "./steps.ts";
import { type SubsampledProblem, subsampledProblem } from "./subsampled-problem.ts";

/** Sweeps over one batch by which starts are compared. */
const TRIAL = 10;
const TRIAL_TOLERANCE = 1e-4;

/** The compiled steps of a fit, made anew where a batch needs more room. */
export class Machine {
  problem!: SubsampledProblem;
  steps!: Steps;
  sizes: readonly number[] = [];
  /** Whether sums over looked-up logarithms go by tables. */
  tables = true;
  private division!: Division;
  private setting!: Setting;
  /** The global factors and what parameters remember: they stay where they are. */
  private readonly lasting: Record<string, Buffer> = {};
  private averages: Record<string, Buffer> = {};
  private starts: { readonly of: Setting; readonly made: Starts } | null = null;
  private readonly whole: Problem;
  private readonly sub: Subsampling;
  private readonly options: SviOptions;

  constructor(whole: Problem, sub: Subsampling, options: SviOptions) {
    this.whole = whole;
    this.sub = sub;
    this.options = options;
  }

  async build(sizes: readonly number[]): Promise<void> {
    const { runtime } = this.whole;
    this.sizes = sizes;
    this.problem = subsampledProblem(this.whole, this.sub.plates, sizes);
    const structure = structureOf(
      anyTensor(this.problem),
      this.problem.layout,
      structureOptions(this.problem, this.options),
    );
    this.division = divided(structure.blocks, this.problem, this.sub);
    if (structure.intertwined.size) {
      const [first] = structure.intertwined;
      throw new OptionError(
        `svi: elements of "${first}" depend on one another and take turns, which cavi does: use that`,
      );
    }
    const climbing = structure.blocks.find((b) => b.ascend);
    if (climbing)
      throw new OptionError(
        `svi: param("${climbing.name}") has no M step in closed form, which cavi can do without: use that`,
      );
    const { global, local } = this.division;
    const make = (shape: readonly number[]) => runtime.buffer("f64", shape);
    for (const [key, shape] of Object.entries(stateShapes(global))) this.lasting[key] ??= make(shape);
    for (const [key, shape] of Object.entries(averageShapes(global))) this.averages[key] ??= make(shape);
    const own = Object.fromEntries(Object.entries(stateShapes(local)).map(([key, shape]) => [key, make(shape)]));
    const { after } = this.options;
    this.setting = {
      problem: this.problem,
      structure,
      bounds: { ...boundsOf(this.options), tables: this.tables },
      buffers: { ...this.lasting, ...own },
      earlier: after ? carriedFrom(after, global) : new Map(),
      noise: new Map(),
    };
    this.steps = await compileSteps(this.setting, this.division, this.averages);
  }

  /** Compiles anew where a batch has more elements than are held. */
  async makeRoom(rows: readonly Uint32Array[]): Promise<void> {
    if (rows.every((r, p) => r.length <= this.sizes[p]!)) return;
    await this.build(
      rows.map((r, p) => Math.min(this.sub.plates[p]!.size, Math.max(this.sizes[p]!, Math.ceil(1.1 * r.length)))),
    );
  }

  /**
   * Global factors at their priors, moved off them as cavi does. Components of a mixture begin where the first batch suits them best, by
   * the starts that cavi tries; what each element of a plate shares out by itself, as a document its topics, is not settled by one batch.
   */
  async begin(restart: number, seed: number, batches: Batches, slice: Slice): Promise<void> {
    const { global, local } = this.division;
    for (const buffer of Object.values(this.averages)) buffer.view().fill(0);
    const isFirst = !this.setting.earlier.size;
    const isShared = local.some((b) => b.family === "dirichlet");
    const kinds = isFirst && !isShared ? kindsOf(this.setting.structure.blocks) : [];
    if (kinds.length <= 1) {
      const fresh = isFirst ? global : [];
      const starts = await this.startsBy(() => startsOf(this.setting, fresh, { seed, kinds: ["all"], chosen: global }));
      starts.begin(restart, 0);
      return;
    }
    const rows = batches.rowsOf(0, 0);
    await this.makeRoom(rows);
    const { setting, steps } = this;
    this.problem.choose(batches.held(rows, this.sizes, batches.plates[0]!.size / rows[0]!.length));
    const starts = await this.startsBy(() => startsOf(setting, setting.structure.blocks, { seed, kinds }));
    let best: { readonly bound: number; readonly state: [string, Float64Array][] } | null = null;
    for (let attempt = 0; attempt < starts.tries; attempt++) {
      starts.begin(restart, attempt);
      let bound = -Infinity;
      for (let n = 0; n < TRIAL; n++) {
        steps.moveGlobal(1);
        steps.local.start();
        bound = steps.local.solve(TRIAL, TRIAL_TOLERANCE) + steps.local.globalPart();
        await slice();
      }
      if (isBound(bound) && !(best && best.bound >= bound)) best = { bound, state: this.kept() };
    }
    if (!best) starts.begin(restart, 0);
    for (const [key, values] of best?.state ?? []) this.lasting[key]?.write(values);
    for (const buffer of Object.values(this.averages)) buffer.view().fill(0);
  }

  /** Compiled once, until a batch needs more room. */
  private async startsBy(make: () => Promise<Starts>): Promise<Starts> {
    if (this.starts?.of !== this.setting) this.starts = { of: this.setting, made: await make() };
    return this.starts.made;
  }

  /** @throws OptionError where the fit is of another model */
  restore({ state }: Pick<StoredFit, "state">): void {
    for (const [key, buffer] of Object.entries(this.lasting)) {
      const values = state.get(key);
      if (values?.length !== sizeOf(buffer.shape)) {
        throw new OptionError(
          `svi: the fit to go on from has no "${key}" of this shape; it must be one of the same model`,
        );
      }
      buffer.write(values);
    }
    for (const [key, buffer] of Object.entries(this.averages)) {
      const values = state.get(key);
      if (values) buffer.write(values);
    }
  }

  /** What lasts from step to step. */
  kept(): [string, Float64Array][] {
    return Object.entries({ ...this.lasting, ...this.averages }).map(([key, b]) => [key, b.read() as Float64Array]);
  }

  /** The local factors of a batch, put where they stand in the whole. */
  collect(rows: readonly Uint32Array[], state: Map<string, Float64Array>): void {
    for (const block of this.division.local) {
      const outer = this.problem.layout.sites.find((s) => s.name === block.sites[0])!.plates[0]!.name;
      const own = rows[this.sub.plates.findIndex((p) => p.name === outer)]!;
      for (const array of Object.keys(block.state)) {
        const key = stateKey(block, array);
        const buffer = this.setting.buffers[key]!;
        const width = sizeOf(buffer.shape) / buffer.shape[0]!;
        const values = buffer.view() as Float64Array;
        const into = state.get(key)!;
        for (const [i, r] of own.entries()) into.set(values.subarray(i * width, (i + 1) * width), r * width);
      }
    }
  }
}

/** @throws OptionError naming a factor that steps cannot move */
function divided(blocks: readonly Block[], { layout }: Problem, sub: Subsampling): Division {
  const division = dividedBy(sub.plates.map((p) => p.name), blocks, layout); // biome-ignore format: one line
  for (const b of division.global) {
    if (b.expectedLog || b.averaged) continue;
    throw new OptionError(
      `svi: the factor of "${b.name}" (${b.family}) stands outside of plate("${sub.plates[0]!.name}"), and steps cannot move one of its kind: use cavi`,
    );
  }
  return division;
}
