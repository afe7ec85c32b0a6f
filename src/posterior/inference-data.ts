import type { Draws, SiteDraws } from "./draws.ts";
import { portableNames } from "./portable-names.ts";
import { presentStats, type SamplerStats, statNames } from "./sampler-stats.ts";
import { type Attributes, encodeZarr, type FileTree, type ZarrArray, type ZarrGroup } from "./zarr.ts";

/** An array of data. */
export interface DataArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: ArrayLike<number>;
}

/** What can be handed to ArviZ. */
export interface InferenceDataContent {
  readonly posterior: Draws;
  readonly sampleStats?: SamplerStats;
  /** Log likelihood of each observation of each observed site. */
  readonly logLikelihood?: Draws;
  readonly posteriorPredictive?: Draws;
  readonly prior?: Draws;
  readonly priorPredictive?: Draws;
  readonly observedData?: Readonly<Record<string, DataArray>>;
  readonly constantData?: Readonly<Record<string, DataArray>>;
}

export interface InferenceDataOptions {
  /** Names of the axes of a site's shape: `{ theta: ["school"] }`. Default `theta_dim_0` and so on. */
  readonly dims?: Readonly<Record<string, readonly string[]>>;
  /** Labels along an axis: `{ school: ["A", "B"] }`. Default 0, 1, …. Axes of another length keep the default. */
  readonly coords?: Readonly<Record<string, readonly string[] | readonly number[]>>;
  /** Said of the whole: versions, seed, method. */
  readonly attributes?: Attributes;
  /** Compress by zlib. Default false: draws hardly become smaller. */
  readonly compress?: boolean;
}

/**
 * ArviZ's InferenceData as a Zarr store: `arviz.from_zarr(folder)`, or `xarray.open_zarr(folder, group="posterior")`. Write it
 * to a folder, or as one file by `zipFiles`. Draws are cut into one file a chain.
 *
 * @returns  contents of the folder, by path
 * @throws   OptionError when two names become the same
 */
export function inferenceData(content: InferenceDataContent, options: InferenceDataOptions = {}): FileTree {
  const groups: Record<string, ZarrGroup> = {};
  const add = (name: string, arrays: Record<string, ZarrArray> | undefined): void => {
    if (!arrays) return;
    groups[name] = {
      attributes: { inference_library: "ansatz" },
      arrays: { ...arrays, ...coordinates(arrays, options) },
    };
  };
  const ofDraws = (draws: Draws | undefined): Record<string, ZarrArray> | undefined =>
    draws && renamed(draws.sites, (name, site) => drawsArray(draws, name, site, options));
  const ofData = (data: Readonly<Record<string, DataArray>> | undefined): Record<string, ZarrArray> | undefined =>
    data && renamed(data, (name, { shape, values }) => ({ shape, values, dims: axisNames(name, shape, options) }));

  add("posterior", ofDraws(content.posterior));
  if (content.sampleStats) {
    const { chains, draws } = content.posterior;
    const arrays = presentStats(content.sampleStats).map(([name, values]): [string, ZarrArray] => [
      statNames[name].arviz,
      { dims: ["chain", "draw"], shape: [chains, draws], values, type: statNames[name].type, chunkedAxes: 1 },
    ]);
    add("sample_stats", Object.fromEntries(arrays));
  }
  add("log_likelihood", ofDraws(content.logLikelihood));
  add("posterior_predictive", ofDraws(content.posteriorPredictive));
  add("prior", ofDraws(content.prior));
  add("prior_predictive", ofDraws(content.priorPredictive));
  add("observed_data", ofData(content.observedData));
  add("constant_data", ofData(content.constantData));
  return encodeZarr(groups, { inference_library: "ansatz", ...options.attributes }, options.compress);
}

/** "/" leads to another group, and names in front of which a dot stands are Zarr's own. */
function renamed<T>(entries: Readonly<Record<string, T>>, encode: (name: string, entry: T) => ZarrArray) {
  const names = portableNames(Object.keys(entries), /\/|\\|^\./gu, "a Zarr store");
  return Object.fromEntries(Object.entries(entries).map(([name, entry]) => [names.get(name)!, encode(name, entry)]));
}

const drawsArray = (draws: Draws, name: string, site: SiteDraws, options: InferenceDataOptions): ZarrArray => ({
  dims: ["chain", "draw", ...axisNames(name, site.shape, options)],
  shape: [draws.chains, draws.draws, ...site.shape],
  values: site.values,
  chunkedAxes: 1,
});

const axisNames = (name: string, shape: readonly number[], { dims }: InferenceDataOptions): string[] =>
  shape.map((_, axis) => dims?.[name]?.[axis] ?? `${name}_dim_${axis}`.replace(/[/\\]/gu, "_"));

/** One array of labels for each axis that the arrays have. */
function coordinates(arrays: Record<string, ZarrArray>, { coords }: InferenceDataOptions): Record<string, ZarrArray> {
  const labels: Record<string, ZarrArray> = {};
  for (const { dims, shape } of Object.values(arrays)) {
    dims.forEach((dim, axis) => {
      const size = shape[axis]!;
      const given = coords?.[dim];
      const values = given?.length === size ? given : Array.from({ length: size }, (_, i) => i);
      const whole = values.every((value) => Number.isInteger(value));
      labels[dim] = { dims: [dim], shape: [size], values, type: whole ? "i64" : "f64" };
    });
  }
  return labels;
}
