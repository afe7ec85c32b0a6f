import { AnsatzError, NonFiniteError, OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer } from "../../engine/runtime.ts";
import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import { latentSites } from "../../model/terms.ts";
import { full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkObserved } from "../check-observed.ts";
import { checkOptionNames, type OptionNames, problemOptionNames } from "../option-names.ts";
import { type Problem, type ProblemOptions, problemOf } from "../problem.ts";
import { slicer } from "../slicer.ts";
import { possibleSubsampling, type Subsampling, subsamplingOf } from "../subsampling.ts";
import { ascentOf } from "./ascent.ts";
import { blameFall, firstNonFinite } from "./blame.ts";
import type { Block } from "./blocks/block.ts";
import { withCounts } from "./counts.ts";
import type { Bounds } from "./densities.ts";
import { drawFactors } from "./draws.ts";
import { carriedFrom } from "./earlier.ts";
import { type FactorArray, factorsOf } from "./factors.ts";
import { boundOnFreshDraws, type FreshBound, noiseFor } from "./fresh-draws.ts";
import { readGradients } from "./gradient-sites.ts";
import { readGroups } from "./groups.ts";
import { isBound } from "./moments.ts";
import { kindsOf, startsOf } from "./start.ts";
import { type StoredFit, saveFit } from "./stored-fit.ts";
import { type Structure, structureOf } from "./structure.ts";
import { type Setting, stateKey, stateShapes } from "./sweep.ts";
import { takeTurns } from "./turns.ts";

/** Options of `cavi`. */
export interface CaviOptions extends ProblemOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Starts, of which the one with the greatest bound is kept. Default 1. */
  readonly restarts?: number;
  /** Of the relative change of the bound in a sweep, at which it stops. Default 1e-10. */
  readonly tolerance?: number;
  /** Default 1000. */
  readonly maxSweeps?: number;
  /**
   * Deterministic annealing: of the first sweeps of each start, what the entropy of the discrete factors counts for. Above 1 it keeps them
   * undecided, so that early accidents count less; the sweeps after these are at 1, and the bound is held never to fall from there
   * on (Ueda and Nakano 1998). For example [4, 3, 2, 1.5]. Default none.
   */
  readonly temperatures?: readonly number[];
  /** How logistic likelihoods are bounded; by default they are refused, since they are conjugate to nothing. */
  readonly logistic?: Bounds["logistic"];
  /**
   * A fit of the same model to earlier data: its posterior is the prior of these, for all factors outside the plates that hold data
   * (streaming variational Bayes, Broderick et al. 2013). The bound is then on the log probability of these data given those.
   */
  readonly after?: Pick<StoredFit, "state">;
  /**
   * Under `after`: the plate whose elements are other ones than before, such as documents; plates that look at them by an index (their
   * words) go along. By default the one that svi would draw its batches from. Name the observations' own plate where the elements that they
   * look at are the same as before.
   */
  readonly plate?: string;
  /**
   * Structured mean field: names of sites that one factor holds together, `[["mu", "theta"], ["w", "b"]]`. Gaussian sites get one joint
   * Gaussian for each element of the plates that they share, together with the gamma precision that they all scale with where the group
   * names it; discrete sites one table over all their states. A group of one site keeps it apart.
   */
  readonly groups?: readonly (readonly string[])[];
  /**
   * Names of continuous latent sites that stand in terms outside every exponential family: their factors are Gaussians on the
   * unconstrained scale, found by natural gradient steps that never lower the bound, while all others stay in closed form. A term that
   * sees such a site through one number at a time (any generalised linear model) is expected by quadrature, any other one as the mean
   * over a fixed set of draws.
   */
  readonly gradient?: readonly string[];
  /** Draws for terms that quadrature does not reach. Default 128. */
  readonly gradientDraws?: number;
  readonly signal?: AbortSignal;
  readonly onSweep?: (event: { readonly restart: number; readonly sweep: number; readonly elbo: number }) => void;
}

const optionNames: OptionNames<CaviOptions> = {
  ...problemOptionNames,
  seed: true,
  restarts: true,
  tolerance: true,
  maxSweeps: true,
  temperatures: true,
  logistic: true,
  after: true,
  plate: true,
  groups: true,
  gradient: true,
  gradientDraws: true,
  signal: true,
  onSweep: true,
};

/** q, fitted by coordinate ascent. */
export interface CaviFit extends StoredFit {
  /** Whether q is one factor: where it is, and no bound stands in the model, q is the posterior itself. */
  readonly exact: boolean;
  /** Terms that are expected by Gauss–Hermite quadrature: the bound is exact but for its error, far below the tolerance where they are smooth. */
  readonly quadrature?: readonly string[];
  /**
   * Terms that are means over a fixed set of draws, the same in all sweeps: `elbo` is the bound on those draws, which q was fitted to.
   * Here is the bound at q on draws of its own, with its standard error.
   */
  readonly monteCarlo?: FreshBound | null;
  /** Bounds of all starts. */
  readonly starts: readonly number[];
  readonly seconds: number;
  /** Independent draws of all latent sites from q, [count, ...site]; the same seed gives the same draws. */
  sample(count: number, seed?: number): Promise<Readonly<Record<string, FactorArray>>>;
  /** All but the model and the data, as bytes that `loadFit` reads. */
  save(): Uint8Array;
}

/**
 * Coordinate ascent variational inference, derived from the model: the log joint is read as a form that is affine in the expected
 * sufficient statistics of each factor, and the optimal factor has the gradient by them as its natural parameters (Winn and Bishop
 * 2005; Hoffman, Johnson and Tran 2018). The bound is exact and never falls, but for first sweeps that begin some factors anew: of
 * probabilities that stand in each element of a plate, such as a document's topics (see openings.ts), and of annealing.
 *
 * @throws OptionError    naming the term that has no closed form, with ways out
 * @throws SupportError   where data lie outside a likelihood's support: names site, element and value
 * @throws AnsatzError    where the bound fell: names the factor
 */
export async function cavi<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: CaviOptions = {},
): Promise<CaviFit> {
  checkOptionNames("cavi", options, optionNames);
  return fitCavi(await problemOf(model, data, options), options);
}

/** The same on a problem that was read before. */
export async function fitCavi<R extends Returned>(problem: Problem<R>, options: CaviOptions = {}): Promise<CaviFit> {
  return (await fitWithSetting(problem, options)).fit;
}

/** A fit, and what it was made with: the state of q stays in its buffers. */
export const fitWithSetting = <R extends Returned>(
  problem: Problem<R>,
  options: CaviOptions = {},
): Promise<{ fit: CaviFit; setting: Setting }> =>
  withCounts(problem as unknown as Problem, (limited) => fitOnce(limited, options));

async function fitOnce(problem: Problem, options: CaviOptions): Promise<{ fit: CaviFit; setting: Setting }> {
  const started = performance.now();
  const { seed = 0, restarts = 1, tolerance = 1e-10, maxSweeps = 1000, signal } = options;
  for (const [name, value] of Object.entries({ restarts, maxSweeps })) {
    if (!(Number.isInteger(value) && value >= 1))
      throw new OptionError(`${name} is ${value}: an integer of at least 1`);
  }
  const { temperatures = [] } = options;
  for (const t of temperatures)
    if (!(t > 0 && Number.isFinite(t))) throw new OptionError(`a temperature is ${t}: numbers above 0, as in [4, 2]`);
  checkObserved(problem.layout, problem.arrays);
  const { runtime } = problem;
  const bounds: Bounds = { logistic: options.logistic ?? null };
  const gradients = readGradients(problem.coordinates, options.gradient ?? [], options.gradientDraws);
  const structure = structureOf(anyTensor(problem), problem.layout, {
    bounds,
    gradients,
    groups: readGroups(problem.layout, options.groups ?? [], gradients.sites),
  });
  const { blocks } = structure;
  const buffers = Object.fromEntries(Object.entries(stateShapes(blocks)).map(([key, shape]) => [key, runtime.buffer("f64", shape)])); // biome-ignore format: one line
  const earlier = options.after
    ? carriedFrom(options.after, lasting(structure, problem as unknown as Problem, options.plate))
    : new Map<string, Float64Array>();
  const noise = noiseFor(structure, runtime, seed);
  const setting: Setting = {
    problem: problem as unknown as Problem,
    structure,
    bounds: { ...bounds, tables: true },
    buffers,
    earlier,
    noise,
  };
  // What was learned of earlier data tells apart what is to be told apart: only the other factors are moved off their priors.
  const fresh = blocks.filter((b) => !Object.keys(b.state).some((name) => earlier.has(stateKey(b, name))));
  const starts = await startsOf(setting, fresh, { seed, kinds: temperatures.length ? ["few"] : kindsOf(fresh) });
  starts.begin(0, 0);
  const turns = await takeTurns(setting, seed);
  let ascent = await ascentOf(setting, turns, temperatures.length > 0);
  const slice = slicer(signal);
  /** The start that a few sweeps bring furthest. */
  const beginBest = async (restart: number): Promise<void> => {
    const bounds: number[] = [];
    for (let attempt = 0; starts.tries > 1 && attempt < starts.tries; attempt++) {
      starts.begin(restart, attempt);
      let bound = -Infinity;
      for (let n = 0; n < TRIAL; n++, await slice()) bound = ascent.sweep();
      bounds.push(isBound(bound) ? bound : -Infinity);
    }
    starts.begin(restart, Math.max(0, bounds.indexOf(Math.max(...bounds))));
    ascent.first?.run();
  };
  /** Sweeps from a start until the bound has converged. */
  const climb = async (restart: number, isOpened: boolean): Promise<Climb> => {
    await beginBest(restart);
    const elbos: number[] = [];
    let reason = `it made its ${maxSweeps} sweeps, and the bound still rose`;
    let converged = false;
    for (let n = 0; n < maxSweeps && !converged; n++, await slice()) {
      const opening = isOpened && n < (ascent.openings?.count ?? 0) ? ascent.openings : null;
      opening?.begin();
      const before = remember(buffers);
      const elbo = ascent.sweep(temperatures[n]);
      if (!isBound(elbo) && ascent.setting.bounds.tables) {
        // Perhaps a sum has underflowed: once more from this start, and from here on, without such shortcuts.
        ascent = await ascentOf({ ...setting, bounds }, turns, temperatures.length > 0);
        return climb(restart, isOpened);
      }
      if (!isBound(elbo)) throw new NonFiniteError(await firstNonFinite(ascent.setting, before(), elbo, n));
      // A bound that is the first at 1, or after local factors were begun anew, may be less than the one before it.
      const annealed = n <= temperatures.length && n > 0 && temperatures.length > 0;
      const last = annealed || opening ? undefined : elbos.at(-1);
      if (last !== undefined && elbo < last - FALL * (Math.abs(last) + size(problem))) {
        throw new AnsatzError(await blameFall(ascent.setting, before(), elbo, last, n));
      }
      elbos.push(elbo);
      options.onSweep?.({ restart, sweep: n + 1, elbo });
      converged = last !== undefined && Math.abs(elbo - last) <= tolerance * Math.abs(elbo);
    }
    if (converged) reason = `the bound changed by less than ${tolerance} of itself in a sweep`;
    return { elbos, elbo: elbos.at(-1)!, state: remember(buffers)(), converged, reason };
  };
  let best: Climb | null = null;
  const reached: number[] = [];
  for (let restart = 0; restart < restarts; restart++) {
    // Openings find what mixes, plain sweeps what does not: of few data both are tried.
    const ways = ascent.openings && size(problem) <= FEW_DATA ? [true, false] : [true];
    let own = -Infinity;
    for (const isOpened of ways) {
      const found = await climb(restart, isOpened);
      if (!best || found.elbo > best.elbo) best = found;
      own = Math.max(own, found.elbo);
    }
    reached.push(own);
  }
  const { elbo, elbos, state, converged } = best!;
  const reason = best!.reason + leftOut(structure, problem as unknown as Problem, options);
  for (const [key, values] of state) buffers[key]!.write(values);
  const stored = { elbo, elbos, sweeps: elbos.length, converged, reason, state, progress: null };
  const fit: CaviFit = {
    ...stored,
    factors: factorsOf(blocks, (block, name) => state.get(stateKey(block, name))!),
    exact: isExact(structure) && !gradients.sites.size,
    quadrature: structure.inexact.quadrature,
    monteCarlo: await boundOnFreshDraws(ascent.setting, seed),
    starts: reached,
    seconds: (performance.now() - started) / 1000,
    sample: (count, from = seed) => drawFactors(setting, state, count, from),
    save: () => saveFit(stored, blocks),
  };
  return { fit, setting };
}

/** Whether nothing is approximated: one factor, whose elements are independent or held together, and no bound in the model. */
const isExact = ({ blocks, intertwined, inexact }: Structure): boolean =>
  blocks.length === 1 && blocks[0]!.family !== "point" && !intertwined.size && !inexact.bounded.length;

/** What came of one start. */
interface Climb {
  readonly elbos: readonly number[];
  readonly elbo: number;
  readonly state: Map<string, Float64Array>;
  readonly converged: boolean;
  readonly reason: string;
}

/**
 * Factors of sites that stand in no plate with data, nor in one whose elements are new with them (documents beside the plate of their
 * words): what is learned of them goes on to later data.
 */
export const lasting = (structure: Pick<Structure, "blocks">, problem: Problem, plate?: string): Block[] =>
  outside(structure, problem, newPlates(problem, plate));

/** Factors of sites that stand in no plate with data, nor in one of these. */
function outside({ blocks }: Pick<Structure, "blocks">, { layout }: Problem, plates: readonly string[]): Block[] {
  const local = new Set(layout.sites.filter((s) => s.kind === "observe").flatMap((s) => s.plates.map((p) => p.name)));
  for (const name of plates) local.add(name);
  const sites = latentSites(layout).filter((s) => !s.plates.some((p) => local.has(p.name)));
  return blocks.filter((b) => b.sites.every((name) => sites.some((s) => s.name === name)));
}

/** What is to be said of factors that the earlier fit has in the same shapes, and that begin anew because no plate was named; else nothing. */
function leftOut(
  structure: Structure,
  problem: Problem,
  { after, plate }: Pick<CaviOptions, "after" | "plate">,
): string {
  if (!after || plate !== undefined) return "";
  const taken = lasting(structure, problem);
  const anew = outside(structure, problem, []).filter((block) => !taken.includes(block));
  const known = anew.filter((b) => Object.entries(b.state).every(([name, shape]) => after.state.get(stateKey(b, name))?.length === sizeOf(shape))); // biome-ignore format: one line
  if (!known.length) return "";
  const names = known.map((b) => `"${b.name}"`).join(", ");
  return `; of the earlier fit ${names} did not go on, since the elements of that plate may be others now (plate: the name of the data's plate keeps them)`;
}

/** The plate that is named, or else the one that svi would draw from, with those that go along with it. */
function newPlates(problem: Problem, plate: string | undefined): string[] {
  const names = (found: Subsampling | null) => found?.plates.map((p) => p.name) ?? [];
  if (plate === undefined) return names(possibleSubsampling(problem));
  try {
    return names(subsamplingOf(problem, plate));
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(error.message.replace(/^svi:/, "cavi:"));
  }
}

/** Sweeps by which starts are compared. */
const TRIAL = 10;
/** Numbers in the data up to which a second climb costs little. */
const FEW_DATA = 50_000;
/** A bound that falls by more, relative to itself and to the number of data that are summed, did not fall by rounding. */
const FALL = 1e-10;
/** States up to this size are kept from before each sweep, so that a fall can be traced to a factor. */
const REMEMBERED = 1_000_000;

/** A tensor of the trace that a problem's layout stands in. @throws OptionError where the model has no latent site */
export function anyTensor({ layout }: Pick<Problem, "layout">): Tensor {
  const [site] = latentSites(layout);
  if (!site) throw new OptionError("the model has nothing unknown: sample(...) what is to be inferred, param(...) what is to be estimated"); // biome-ignore format: one line
  return full(site.value, [], 0, "f64");
}

/** The state now, for later; of a large one only the state at the time of asking. */
function remember(buffers: Readonly<Record<string, Buffer>>): () => Map<string, Float64Array> {
  const copy = () => new Map(Object.entries(buffers).map(([key, buffer]) => [key, buffer.read() as Float64Array]));
  if (Object.values(buffers).reduce((n, b) => n + sizeOf(b.shape), 0) > REMEMBERED) return copy;
  const now = copy();
  return () => now;
}

/** How many numbers the bound is a sum over. */
const size = ({ arrays }: Pick<Problem, "arrays">): number =>
  Object.values(arrays).reduce((n, { shape }) => n + sizeOf(shape), 1);
