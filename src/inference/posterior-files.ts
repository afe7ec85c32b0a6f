import { OptionError } from "../base/errors.ts";
import { isDiscrete } from "../constraints/support.ts";
import { isLatent } from "../model/site.ts";
import { type Draws, drawsOf } from "../posterior/draws.ts";
import type { StoredSupport } from "../posterior/host-transforms.ts";
import type { SamplerStats } from "../posterior/sampler-stats.ts";
import {
  loadPosterior as decode,
  type Json,
  type SavedPosterior,
  savePosterior,
} from "../posterior/saved-posterior.ts";
import { canDraw, drawStored, type StoredApproximation, storedGaussian } from "../posterior/stored-approximation.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Approximation } from "./approximation.ts";
import type { Attempt } from "./certificate.ts";
import { DrawnPosterior } from "./drawn-posterior.ts";
import type { ChainsResult } from "./mcmc/chains.ts";
import type { Problem } from "./problem.ts";

/** What the sampler recorded of each draw, [chains, draws]. */
export function statsOf({ chains, count }: ChainsResult): SamplerStats {
  const joined = (pick: (stats: ChainsResult["chains"][number]["stats"]) => ArrayLike<number>): Float64Array => {
    const out = new Float64Array(chains.length * count);
    for (const [i, { stats }] of chains.entries()) out.set(Array.from(pick(stats)).slice(0, count), i * count);
    return out;
  };
  return {
    logDensity: joined((s) => s.logDensity),
    energy: joined((s) => s.energy),
    stepSize: joined((s) => s.stepSize),
    acceptance: joined((s) => s.acceptance),
    depth: joined((s) => s.depth),
    leapfrogs: joined((s) => s.leapfrogs),
    divergent: joined((s) => s.divergent),
  };
}

/** A support as data; null where an end of it depends on other sites. */
function storedSupport(support: object): StoredSupport | null {
  return Object.values(support).some((part) => part instanceof Tensor) ? null : (support as StoredSupport);
}

function storedApproximation(problem: Problem, q: Approximation): StoredApproximation {
  const { dim, params, sd } = q;
  const sites = problem.coordinates.map(({ name, shape, offset, support }) => ({
    name,
    shape,
    offset,
    support: storedSupport(support),
  }));
  const vector = (values: Float64Array) => ({ shape: [dim], values });
  const asTheyAre = { family: q.family, form: null, dim, sites, tensors: { params: { shape: [params.length], values: params } } }; // biome-ignore format: one line
  // Parameters of families by site, whose number says nothing about their form.
  if (q.family === "sites") return asTheyAre;
  if (params.length === dim + dim * dim && dim > 1) {
    const factor = { shape: [dim, dim], values: params.slice(dim) };
    return { family: q.family, form: "gaussian", dim, sites, tensors: { mean: vector(q.mean), factor } };
  }
  if (params.length === 2 * dim)
    return {
      family: q.family,
      form: "diagonalGaussian",
      dim,
      sites,
      tensors: { mean: vector(q.mean), sd: vector(sd) },
    };
  if (q.covariance && ["full-rank", "low-rank", "block"].includes(q.family))
    return storedGaussian({ family: q.family, sites }, q.mean, q.covariance);
  return asTheyAre;
}

/** What a file keeps of a posterior. */
export interface PosteriorContent {
  readonly problem: Problem;
  readonly method: string;
  readonly seed: number;
  readonly allDraws: Draws;
  readonly attempts: readonly Attempt[];
  readonly approximation: Approximation | null;
  readonly chains: ChainsResult | null;
  readonly warnings: readonly string[];
  readonly importanceEss: number | null;
}

/** What the notes of a file hold where there is something to say. */
interface Notes {
  readonly warnings?: readonly string[];
  readonly importanceEss?: number;
}

/** The posterior as one file (safetensors), which needs no source of the model to be read and sampled. */
export function encodePosterior(posterior: PosteriorContent, version: string): Uint8Array {
  const { problem, approximation, chains, attempts, warnings, importanceEss } = posterior;
  const notes: Notes = { ...(warnings.length > 0 && { warnings }), ...(importanceEss !== null && { importanceEss }) };
  const plain = problem;
  const supports = Object.fromEntries(
    plain.layout.sites.filter(isLatent).flatMap(({ name, support }) => {
      const stored = isDiscrete(support) ? null : storedSupport(support);
      return stored ? [[name, stored]] : [];
    }),
  );
  return savePosterior({
    method: posterior.method,
    seed: posterior.seed,
    versions: { ansatz: version },
    certificate: attempts as unknown as Json,
    draws: posterior.allDraws,
    ...(Object.keys(notes).length > 0 && { notes: notes as Json }),
    supports,
    ...(chains ? { stats: statsOf(chains) } : {}),
    ...(approximation ? { approximation: storedApproximation(plain, approximation) } : {}),
  });
}

/** A posterior that was read from a file: its draws and what was said of them, without the model. */
export class LoadedPosterior extends DrawnPosterior {
  readonly draws: Draws["sites"];
  /** All that the file holds. */
  readonly saved: SavedPosterior;

  constructor(saved: SavedPosterior) {
    const { warnings = [], importanceEss = null } = (saved.notes ?? {}) as Notes;
    const attempts = saved.certificate as unknown as readonly Attempt[];
    super({ draws: saved.draws, attempts, seed: saved.seed, importanceEss, warnings });
    this.draws = saved.draws.sites;
    this.saved = saved;
  }

  /** What the sampler recorded of each draw, [chains, draws]; null where there was none. */
  get samplerStats(): SamplerStats | null {
    return this.saved.stats ?? null;
  }

  /**
   * New draws of the latent sites: of the stored approximation where there is one, else taken anew from the stored draws.
   *
   * @throws OptionError for a family that cannot be drawn from without its model
   */
  sample(count: number, seed = 0): Draws {
    const { draws, approximation } = this.saved;
    if (approximation && canDraw(approximation)) return drawStored(approximation, count, seed);
    const all = draws.chains * draws.draws;
    if (count > all) {
      throw new OptionError(
        `the file holds ${all} draws and no approximation that more could be drawn from: ask for at most so many`,
      );
    }
    // Evenly spaced, so that all chains have their share.
    const at = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * all) / count));
    const sites = Object.entries(draws.sites).map(([name, { shape, values }]) => {
      const size = values.length / all;
      const out = new Float64Array(count * size);
      for (const [i, d] of at.entries()) out.set(values.subarray(d * size, (d + 1) * size), i * size);
      return [name, { shape, values: out }];
    });
    return drawsOf(1, count, Object.fromEntries(sites));
  }
}

/** Reads what `posterior.save()` wrote. @throws DataError when it is no such file */
export const loadPosterior = (bytes: Uint8Array, source?: string): LoadedPosterior =>
  new LoadedPosterior(decode(bytes, source));
