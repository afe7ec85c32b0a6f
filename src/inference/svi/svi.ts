import { NonFiniteError, OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import type { Block } from "../cavi/blocks/block.ts";
import { anyTensor, type CaviFit, type CaviOptions } from "../cavi/cavi.ts";
import type { Bounds } from "../cavi/densities.ts";
import { drawFactors } from "../cavi/draws.ts";
import { carriedFrom } from "../cavi/earlier.ts";
import { factorsOf } from "../cavi/factors.ts";
import { NO_GRADIENTS } from "../cavi/gradient-sites.ts";
import { readGroups } from "../cavi/groups.ts";
import { type Division, dividedBy } from "../cavi/local-sweeps.ts";
import { boundText, isBound } from "../cavi/moments.ts";
import { kindsOf, startsOf } from "../cavi/start.ts";
import { type StoredFit, type SviProgress, saveFit } from "../cavi/stored-fit.ts";
import { type StructureOptions, structureOf } from "../cavi/structure.ts";
import { type Setting, stateKey, stateShapes } from "../cavi/sweep.ts";
import { checkObserved } from "../check-observed.ts";
import { checkOptionNames, type OptionNames, problemOptionNames } from "../option-names.ts";
import { type Problem, type ProblemOptions, problemOf } from "../problem.ts";
import { type Slice, slicer } from "../slicer.ts";
import { chooseSubsampling, type Subsampling, subsamplingOf } from "../subsampling.ts";
import { Batches, type BatchRows } from "./batches.ts";
import { averageShapes, compileSteps, type Steps } from "./steps.ts";
import { type SubsampledProblem, subsampledProblem } from "./subsampled-problem.ts";
import { mostChange, trendOf } from "./trend.ts";

/** Options of `svi`. */
export interface SviOptions extends ProblemOptions {
  /** Default 0. */
  readonly seed?: number;
  /**
   * The outermost plate whose elements are drawn; plates that look at its elements by an index array go with it, as tokens with their
   * documents. By default the plate for which the text says `batch`, or the one that makes most of what is unknown local.
   */
  readonly plate?: string;
  /** Elements of it in a step. Default what the text says, or a 32nd of the plate within 32 and 1024. */
  readonly batch?: number;
  /** Step t moves the global factors by (t + delay)^−forgetting of the way, t from 1. Default 1. */
  readonly delay?: number;
  /** Above 0.5 and at most 1, so that the steps find their end (Robbins and Monro 1951). Default 0.7. */
  readonly forgetting?: number;
  /** Sweeps over the local factors of a batch at most. Default 50. */
  readonly localSweeps?: number;
  /** Of the relative change of their part of the bound, at which their sweeps stop. Default 1e-5. */
  readonly localTolerance?: number;
  /** Passes over the data at most. Default 100. */
  readonly maxEpochs?: number;
  /**
   * It stops when the bound, averaged over each epoch, surely (95 %) changes by less than this of itself in an epoch. Default 1e-5.
   */
  readonly tolerance?: number;
  /** How logistic likelihoods are bounded; by default they are refused, since they are conjugate to nothing. */
  readonly logistic?: Bounds["logistic"];
  /** Names of sites that one factor holds together, as in cavi. */
  readonly groups?: CaviOptions["groups"];
  /** A fit of the same model to earlier data, whose posterior is the prior of these. */
  readonly after?: Pick<StoredFit, "state">;
  /** A fit to go on with: of these data by svi, with the bits of a fit that never stopped; or a fit by cavi, as the start. */
  readonly from?: Pick<StoredFit, "state" | "progress">;
  readonly signal?: AbortSignal;
  /** After each step: the bound as its batch has it, scaled to all data. */
  readonly onStep?: (event: SviStep) => void;
}

const optionNames: OptionNames<SviOptions> = {
  ...problemOptionNames,
  seed: true,
  plate: true,
  batch: true,
  delay: true,
  forgetting: true,
  localSweeps: true,
  localTolerance: true,
  maxEpochs: true,
  tolerance: true,
  logistic: true,
  groups: true,
  after: true,
  from: true,
  signal: true,
  onStep: true,
};

/** What `svi` reports after each step; bounds are in nats. */
export interface SviStep {
  readonly epoch: number;
  readonly step: number;
  readonly steps: number;
  /** As the batch has it, and averaged over the steps of this epoch. */
  readonly noisyElbo: number;
  readonly elbo: number;
}

/** q, fitted by stochastic steps. `elbo` is the bound on all data at the end, `elbos` the mean of each epoch's noisy ones. */
export interface SviFit extends CaviFit {
  readonly progress: SviProgress;
}

/**
 * Stochastic variational inference (Hoffman, Blei, Wang and Paisley 2013) for any model that coordinate ascent can read: each step takes
 * some elements of a plate, brings the factors inside it to their optima, and moves all others by a natural gradient.
 *
 *     const fit = await svi(lda, corpus, { plate: "document", batch: 64 });
 *
 * @throws OptionError    naming the term that has no closed form, or what keeps the plate's elements from being drawn apart
 * @throws SupportError   where data lie outside a likelihood's support
 */
export async function svi<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: SviOptions = {},
): Promise<SviFit> {
  checkOptionNames("svi", options, optionNames);
  return (await sviWithSetting(await problemOf(model, data, options), options)).fit;
}

/** A fit, and all factors of q in memory. */
export async function sviWithSetting<R extends Returned>(
  given: Problem<R>,
  options: SviOptions = {},
): Promise<{ fit: SviFit; setting: Setting }> {
  const started = performance.now();
  const problem = given as unknown as Problem;
  const { from, signal } = options;
  const { delay = 1, forgetting = 0.7, localSweeps = 50, localTolerance = 1e-5, maxEpochs = 100, tolerance = 1e-5 } = options; // biome-ignore format: one line
  checkRates(delay, forgetting);
  for (const [name, value] of Object.entries({ localSweeps, maxEpochs })) {
    if (!(Number.isInteger(value) && value >= 1))
      throw new OptionError(`svi: ${name} is ${value}: an integer of at least 1`);
  }
  checkObserved(problem.layout, problem.arrays);
  const before = from?.progress ?? null;
  const plate = options.plate ?? before?.plate;
  const sub = plate === undefined ? chooseSubsampling(problem) : subsamplingOf(problem, plate);
  const { name, size } = sub.plates[0]!;
  const batch = options.batch ?? before?.batch ?? sub.batch ?? Math.min(size, Math.max(32, Math.min(1024, Math.ceil(size / 32)))); // biome-ignore format: one line
  if (!(Number.isInteger(batch) && batch >= 1 && batch <= size)) {
    throw new OptionError(
      `svi: batch is ${batch}, but it must be an integer from 1 to the size of plate("${name}"), ${size}`,
    );
  }
  const seed = options.seed ?? before?.seed ?? 0;
  const batches = new Batches(sub, batch, seed);
  const slice = slicer(signal);
  const machine = new Machine(problem, sub, options);
  machine.tables = before?.tables ?? true;
  await machine.build(before?.sizes ?? batches.sizesFor(0));
  if (from) machine.restore(from);
  else await machine.begin(seed, batches, slice);

  /** The bound with the local factors of a batch at their optima. */
  const boundOf = async (rows: readonly BatchRows[]): Promise<{ local: number; all: number }> => {
    machine.problem.choose(rows);
    const { local: sweeps } = machine.steps;
    sweeps.start();
    const local = sweeps.solve(localSweeps, localTolerance);
    const all = local + sweeps.globalPart();
    if (isBound(all) || !machine.tables) return { local, all };
    // Perhaps a sum has underflowed: once more, and from here on, without such shortcuts.
    machine.tables = false;
    await machine.build(machine.sizes);
    return boundOf(rows);
  };

  const bounds = [...(before?.bounds ?? [])];
  let step = before?.steps ?? 0;
  let converged = false;
  let reason = `it made its ${maxEpochs} epochs, and the bound still changed`;
  while (bounds.length < maxEpochs) {
    const epoch = bounds.length;
    let total = 0;
    for (let s = 0; s < batches.steps; s++) {
      const rows = batches.rowsOf(epoch, s);
      await machine.makeRoom(rows);
      const { all: noisyElbo } = await boundOf(batches.held(rows, machine.sizes, size / rows[0]!.length));
      if (!isBound(noisyElbo)) throw new NonFiniteError(notFinite(noisyElbo, step));
      total += noisyElbo;
      step++;
      machine.steps.moveGlobal((step + delay) ** -forgetting);
      options.onStep?.({ epoch, step, steps: batches.steps, noisyElbo, elbo: total / (s + 1) });
      await slice();
    }
    bounds.push(total / batches.steps);
    const trend = trendOf(bounds);
    if (trend && mostChange(trend) <= tolerance * Math.abs(trend.level)) {
      converged = true;
      const rest = mostChange(trend);
      reason = `over the last ${trend.count} epochs the bound changed by ${short(trend.slope)} an epoch, and surely by less than ${short(rest)}`;
      break;
    }
    if (trend && bounds.length >= maxEpochs) {
      reason += `: by ${short(trend.slope)} ± ${short(trend.se)} an epoch, where ${short(tolerance * Math.abs(trend.level))} was asked for`;
    }
  }

  // Once more through all data, in order: the bound, and the factors inside the plates.
  const whole = await wholeSetting(problem, sub, options);
  const state = new Map(machine.kept());
  for (const [key, shape] of Object.entries(stateShapes(whole.structure.blocks))) {
    if (!state.has(key)) state.set(key, new Float64Array(sizeOf(shape)));
  }
  let elbo = 0;
  for (let s = 0; s < batches.steps; s++) {
    const rows = batches.inOrder(s);
    await machine.makeRoom(rows);
    elbo += (await boundOf(batches.held(rows, machine.sizes, 1))).local;
    machine.collect(rows, state);
    await slice();
  }
  elbo += machine.steps.local.globalPart();
  const { blocks } = whole.structure;
  const progress: SviProgress = {
    plate: name,
    batch,
    seed,
    steps: step,
    bounds,
    sizes: machine.sizes,
    tables: machine.tables,
  };
  const stored = { elbo, elbos: bounds, sweeps: bounds.length, converged, reason, state, progress };
  for (const [key, buffer] of Object.entries(whole.buffers)) buffer.write(state.get(key)!);
  const fit: SviFit = {
    ...stored,
    factors: factorsOf(blocks, (block, array) => state.get(stateKey(block, array))!),
    exact: false,
    starts: [elbo],
    seconds: (performance.now() - started) / 1000,
    sample: (count, draws = seed) => drawFactors(whole, state, count, draws),
    save: () => saveFit(stored, blocks),
  };
  return { fit, setting: whole };
}

function checkRates(delay: number, forgetting: number): void {
  if (!(forgetting > 0.5 && forgetting <= 1)) {
    throw new OptionError(
      `svi: forgetting is ${forgetting}, but steps (t + delay)^−forgetting only find their end with 0.5 < forgetting ≤ 1`,
    );
  }
  if (!(delay >= 0 && Number.isFinite(delay))) throw new OptionError(`svi: delay is ${delay}: a number of at least 0`);
}

const short = (x: number): string => x.toPrecision(2);
const notFinite = (bound: number, step: number): string =>
  `the bound became ${boundText(bound)} in step ${step + 1}. Look for data outside a likelihood's support, and for priors that are not proper.`;

export const boundsOf = ({ logistic }: Pick<SviOptions, "logistic">): Bounds => ({ logistic: logistic ?? null });

/** How the factors of a fit by stochastic steps are laid out. */
export const structureOptions = (
  { layout }: Pick<Problem, "layout">,
  options: Pick<SviOptions, "logistic" | "groups">,
): StructureOptions => ({
  bounds: boundsOf(options),
  gradients: NO_GRADIENTS,
  groups: readGroups(layout, options.groups ?? [], NO_GRADIENTS.sites),
});

/** The factors over all elements; its programs are not compiled. */
async function wholeSetting(problem: Problem, sub: Subsampling, options: SviOptions): Promise<Setting> {
  const all = subsampledProblem(problem, sub.plates, sub.plates.map((p) => p.size)); // biome-ignore format: short
  const structure = structureOf(anyTensor(all), all.layout, structureOptions(all, options));
  const shapes = Object.entries(stateShapes(structure.blocks));
  const buffers = Object.fromEntries(shapes.map(([key, shape]) => [key, problem.runtime.buffer("f64", shape)]));
  return { problem: all, structure, bounds: boundsOf(options), buffers, earlier: new Map(), noise: new Map() };
}

/** Sweeps over one batch by which starts are compared. */
const TRIAL = 10;
const TRIAL_TOLERANCE = 1e-4;

/** The compiled steps of a fit, made anew where a batch needs more room. */
class Machine {
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
  async begin(seed: number, batches: Batches, slice: Slice): Promise<void> {
    const { global, local } = this.division;
    const isFirst = !this.setting.earlier.size;
    const isShared = local.some((b) => b.family === "dirichlet");
    const kinds = isFirst && !isShared ? kindsOf(this.setting.structure.blocks) : [];
    if (kinds.length <= 1) {
      const fresh = isFirst ? global : [];
      (await startsOf(this.setting, fresh, { seed, kinds: ["all"], chosen: global })).begin(0, 0);
      return;
    }
    const rows = batches.rowsOf(0, 0);
    await this.makeRoom(rows);
    const { setting, steps } = this;
    this.problem.choose(batches.held(rows, this.sizes, batches.plates[0]!.size / rows[0]!.length));
    const starts = await startsOf(setting, setting.structure.blocks, { seed, kinds });
    let best: { readonly bound: number; readonly state: [string, Float64Array][] } | null = null;
    for (let attempt = 0; attempt < starts.tries; attempt++) {
      starts.begin(0, attempt);
      let bound = -Infinity;
      for (let n = 0; n < TRIAL; n++) {
        steps.moveGlobal(1);
        steps.local.start();
        bound = steps.local.solve(TRIAL, TRIAL_TOLERANCE) + steps.local.globalPart();
        await slice();
      }
      if (isBound(bound) && !(best && best.bound >= bound)) best = { bound, state: this.kept() };
    }
    if (!best) starts.begin(0, 0);
    for (const [key, values] of best?.state ?? []) this.lasting[key]?.write(values);
    for (const buffer of Object.values(this.averages)) buffer.view().fill(0);
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
