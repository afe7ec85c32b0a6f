import { NonFiniteError, OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import { anyTensor, type CaviFit } from "../cavi/cavi.ts";
import { drawFactors } from "../cavi/draws.ts";
import { factorsOf } from "../cavi/factors.ts";
import { boundText, isBound } from "../cavi/moments.ts";
import { type SviProgress, saveFit } from "../cavi/stored-fit.ts";
import { structureOf } from "../cavi/structure.ts";
import { type Setting, stateKey, stateShapes } from "../cavi/sweep.ts";
import { checkObserved } from "../check-observed.ts";
import { checkOptionNames } from "../option-names.ts";
import { type Problem, problemOf } from "../problem.ts";
import { slicer } from "../slicer.ts";
import { chooseSubsampling, type Subsampling, subsamplingOf } from "../subsampling.ts";
import { Batches, type BatchRows } from "./batches.ts";
import { chooseStart } from "./choose-start.ts";
import { Machine } from "./machine.ts";
import { boundsOf, optionNames, type SviOptions, structureOptions } from "./options.ts";
import { subsampledProblem } from "./subsampled-problem.ts";
import { mostChange, trendOf } from "./trend.ts";

/** q, fitted by stochastic steps. `elbo` is the bound on all data at the end, `elbos` the mean of each epoch's noisy ones. */
export interface SviFit extends CaviFit {
  readonly progress: SviProgress;
  /** The bounds by which starts were compared, as batches had them; of one start the bound at the end. */
  readonly starts: readonly number[];
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
  const { delay = 1, forgetting = 0.7, localSweeps = 50, localTolerance = 1e-5, maxEpochs = 100, tolerance = 1e-5, restarts = 4 } = options; // biome-ignore format: one line
  checkRates(delay, forgetting);
  const rate = (step: number): number => (step + delay) ** -forgetting;
  for (const [name, value] of Object.entries({ localSweeps, maxEpochs, restarts })) {
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
  /** Moves the global factors by the batch of one step; returns the bound as it was before, scaled to all data. */
  const stepOn = async (index: number): Promise<number> => {
    const rows = batches.rowsOf(Math.floor(index / batches.steps), index % batches.steps);
    await machine.makeRoom(rows);
    const { all } = await boundOf(batches.held(rows, machine.sizes, size / rows[0]!.length));
    if (isBound(all)) machine.steps.moveGlobal(rate(index + 1));
    await slice();
    return all;
  };
  /** The bound on all data, in their order; `seen` hears of each batch with its local factors at their optima. */
  const boundOnAll = async (seen: (rows: readonly Uint32Array[]) => void = () => {}): Promise<number> => {
    let elbo = 0;
    for (let s = 0; s < batches.steps; s++) {
      const rows = batches.inOrder(s);
      await machine.makeRoom(rows);
      elbo += (await boundOf(batches.held(rows, machine.sizes, 1))).local;
      seen(rows);
      await slice();
    }
    return elbo + machine.steps.local.globalPart();
  };

  let starts: readonly number[] = [];
  if (from) machine.restore(from);
  else {
    const step = async (index: number) => {
      const bound = await stepOn(index);
      return isBound(bound) ? bound : -Infinity;
    };
    const begin = (restart: number) => machine.begin(restart, seed, batches, slice);
    starts = await chooseStart({ begin, kept: () => machine.kept(), step }, restarts);
  }

  const bounds = [...(before?.bounds ?? [])];
  let step = before?.steps ?? 0;
  let checked = before?.checked ?? null;
  let converged = false;
  let reason = `it had made its ${maxEpochs} epochs before`;
  while (bounds.length < maxEpochs && !converged) {
    reason = `it made its ${maxEpochs} epochs, and the bound still changed`;
    const epoch = bounds.length;
    let total = 0;
    for (let s = 0; s < batches.steps; s++) {
      const noisyElbo = await stepOn(step);
      if (!isBound(noisyElbo)) throw new NonFiniteError(notFinite(noisyElbo, step));
      total += noisyElbo;
      step++;
      options.onStep?.({ epoch, step, steps: batches.steps, noisyElbo, elbo: total / (s + 1) });
    }
    bounds.push(total / batches.steps);
    const trend = trendOf(bounds);
    if (!trend) continue;
    const asked = tolerance * Math.abs(trend.level);
    const ended = bounds.length >= maxEpochs;
    if (mostChange(trend) > asked) {
      if (ended)
        reason += `: by ${short(trend.slope)} ± ${short(trend.se)} an epoch, where ${short(asked)} was asked for`;
      continue;
    }
    // Short steps change little wherever they are: it has converged when as many of them as make a whole one do.
    let moved = 0;
    for (let t = checked?.steps ?? step; t < step; t++) moved += rate(t + 1);
    if (checked && moved < 1) {
      if (ended)
        reason = `it made its ${maxEpochs} epochs, the last ones in steps too short to tell whether the bound has settled`;
      continue;
    }
    const elbo = await boundOnAll();
    if (checked) {
      const change = (elbo - checked.elbo) / moved;
      converged = Math.abs(change) <= asked;
      const whole = `by ${short(change)} in steps that together make a whole one`;
      reason = converged
        ? `over the last ${trend.count} epochs the bound changed by ${short(trend.slope)} an epoch, and surely by less than ${short(mostChange(trend))}, and ${whole}`
        : `${reason}: ${whole}, where ${short(asked)} was asked for`;
    }
    checked = { steps: step, elbo };
  }

  // Once more through all data: the bound, and the factors inside the plates.
  const whole = await wholeSetting(problem, sub, options);
  const state = new Map(machine.kept());
  for (const [key, shape] of Object.entries(stateShapes(whole.structure.blocks))) {
    if (!state.has(key)) state.set(key, new Float64Array(sizeOf(shape)));
  }
  const elbo = await boundOnAll((rows) => machine.collect(rows, state));
  const { blocks } = whole.structure;
  const progress: SviProgress = {
    plate: name,
    batch,
    seed,
    steps: step,
    bounds,
    sizes: machine.sizes,
    tables: machine.tables,
    checked,
  };
  const stored = { elbo, elbos: bounds, sweeps: bounds.length, converged, reason, state, progress };
  for (const [key, buffer] of Object.entries(whole.buffers)) buffer.write(state.get(key)!);
  const fit: SviFit = {
    ...stored,
    factors: factorsOf(blocks, (block, array) => state.get(stateKey(block, array))!),
    exact: false,
    starts: starts.length ? starts : [elbo],
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

/** The factors over all elements; its programs are not compiled. */
async function wholeSetting(problem: Problem, sub: Subsampling, options: SviOptions): Promise<Setting> {
  const all = subsampledProblem(problem, sub.plates, sub.plates.map((p) => p.size)); // biome-ignore format: short
  const structure = structureOf(anyTensor(all), all.layout, structureOptions(all, options));
  const shapes = Object.entries(stateShapes(structure.blocks));
  const buffers = Object.fromEntries(shapes.map(([key, shape]) => [key, problem.runtime.buffer("f64", shape)]));
  return { problem: all, structure, bounds: boundsOf(options), buffers, earlier: new Map(), noise: new Map() };
}
