import {
  decodeSafetensors,
  encodeSafetensors,
  type ImportanceWeights,
  khatLimit,
  type Posterior,
  type PredictiveSite,
  type StoredTensor,
} from "../src/node.ts";

/** What the report shows besides the posterior itself; kept beside it, so that the report can be written anew without the model. */
export interface FitChecks {
  readonly weights: ImportanceWeights | null;
  readonly predictive: readonly PredictiveSite[];
  /** What could not be replicated, and why. */
  readonly notes: readonly string[];
  /** Names of the sites that were sampled. */
  readonly latent: readonly string[];
}

const replicateCount = 200;
const fewestReplicates = 20;
/** Numbers that are replicated at most. */
const mostNumbers = 2_000_000;

/** Weights, and data replicated from the posterior. */
export async function checksOf(posterior: Posterior): Promise<FitChecks> {
  const { weights, problem } = posterior;
  const limit = weights && khatLimit(weights.count);
  return {
    weights: weights && {
      raw: weights.rawLogWeights,
      smoothed: weights.logWeights,
      khat: weights.khat,
      limit: limit!,
      ess: weights.ess,
    },
    ...(await predictiveOf(posterior)),
    latent: problem.coordinates.map(({ name }) => name),
  };
}

/** Never throws: a model whose data cannot be replicated has a posterior all the same. */
async function predictiveOf(posterior: Posterior): Promise<Pick<FitChecks, "predictive" | "notes">> {
  const notes: string[] = [];
  try {
    const { chains, draws } = posterior.allDraws;
    const first = await posterior.observed(0);
    const last = await posterior.observed(chains * draws - 1);
    const names = Object.keys(first);
    if (names.length === 0)
      return { predictive: [], notes: ["The model observes nothing: there is nothing to replicate."] };
    const size = names.reduce((n, name) => n + first[name]!.values.length, 0);
    const wanted = Math.max(fewestReplicates, Math.min(replicateCount, Math.floor(mostNumbers / size)));
    const replicated = await posterior.predict(undefined, { draws: wanted });
    const predictive = names.flatMap((name): PredictiveSite[] => {
      const observed = first[name]!;
      const replicates = replicated.sites[name];
      if (!replicates) notes.push(`"${name}" has no replicates.`);
      else if (observed.values.some((v, i) => v !== last[name]!.values[i])) {
        notes.push(`What "${name}" observes depends on unknowns: there is nothing to compare its replicates with.`);
      } else if (replicates.values.length !== replicated.draws * observed.values.length) {
        notes.push(`The replicates of "${name}" have another shape than what was observed.`);
      } else if (!replicates.values.every(Number.isFinite)) {
        notes.push(`The replicates of "${name}" are not all finite.`);
      } else {
        const { shape, values } = observed;
        return [{ name, shape, observed: values, replicates: replicates.values, count: replicated.draws }];
      }
      return [];
    });
    return { predictive, notes };
  } catch (error) {
    return { predictive: [], notes: [`There is no predictive check: ${(error as Error).message}`] };
  }
}

/** As one safetensors file. */
export function encodeChecks({ weights, predictive, notes, latent }: FitChecks): Uint8Array {
  const tensors: Record<string, StoredTensor> = {};
  const put = (name: string, shape: readonly number[], values: ArrayLike<number>) => {
    tensors[name] = { dtype: "f64", shape, data: Float64Array.from(values) };
  };
  if (weights) {
    put("weights/raw", [weights.raw.length], weights.raw);
    put("weights/smoothed", [weights.smoothed.length], weights.smoothed);
  }
  for (const { name, shape, observed, replicates, count } of predictive) {
    put(`observed/${name}`, shape, observed);
    put(`replicates/${name}`, [count, ...shape], replicates);
  }
  const numbers = weights && { khat: weights.khat, limit: weights.limit, ess: weights.ess };
  const about = { notes, latent, weights: numbers, predictive: predictive.map(({ name }) => name) };
  return encodeSafetensors(tensors, { checks: JSON.stringify(about) });
}

/** @throws DataError when the file is damaged */
export function decodeChecks(bytes: Uint8Array, source: string): FitChecks {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  const about = JSON.parse(metadata.checks ?? "{}") as {
    notes?: string[];
    latent?: string[];
    predictive?: string[];
    weights?: { khat: number; limit: number; ess: number } | null;
  };
  const values = (name: string) => tensors[name]?.data ?? new Float64Array();
  return {
    notes: about.notes ?? [],
    latent: about.latent ?? [],
    weights: about.weights
      ? { ...about.weights, raw: values("weights/raw"), smoothed: values("weights/smoothed") }
      : null,
    predictive: (about.predictive ?? []).map((name) => {
      const { shape = [], data = new Float64Array() } = tensors[`observed/${name}`] ?? {};
      const replicates = tensors[`replicates/${name}`];
      return { name, shape, observed: data, replicates: replicates?.data ?? [], count: replicates?.shape[0] ?? 0 };
    }),
  };
}
