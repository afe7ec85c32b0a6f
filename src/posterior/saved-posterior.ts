import { DataError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { encodeSafetensors, type StoredTensor } from "../data/safetensors.ts";
import { decodeSafetensors } from "../data/safetensors-read.ts";
import { type Draws, drawsOf, type SiteDraws } from "./draws.ts";
import type { StoredSupport } from "./host-transforms.ts";
import { presentStats, type SamplerStats, type StatName, statNames } from "./sampler-stats.ts";
import {
  type StoredApproximation,
  type StoredArray,
  type StoredCoordinates,
  type StoredForm,
  storedForms,
} from "./stored-approximation.ts";

/** What JSON can say, and the numbers that it cannot: NaN and ±∞ are kept as well. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A posterior as data: all that there is of it without the source of its model. */
export interface SavedPosterior {
  readonly method: string;
  readonly seed: number;
  /** Of the library, and of whatever else made the numbers. */
  readonly versions: Readonly<Record<string, string>>;
  /** Whether the numbers can be trusted, and why: what the method said. */
  readonly certificate: Json;
  readonly draws: Draws;
  /** Where values lie, of the sites for which that is known. */
  readonly supports?: Readonly<Record<string, StoredSupport>>;
  readonly stats?: SamplerStats;
  /** q, so that new draws can be made (`drawStored`). */
  readonly approximation?: StoredApproximation;
  /** Anything else. */
  readonly notes?: Json;
}

/** Format and version that a file of ours names in its metadata. */
const FORMAT = "ansatz.posterior";
const VERSION = 1;

/** What the JSON under `posterior` in the metadata looks like; arrays are tensors of the file. */
interface Header {
  readonly method: string;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly certificate: Json;
  readonly notes: Json;
  readonly chains: number;
  readonly draws: number;
  readonly sites: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly support: StoredSupport | null;
  }[];
  readonly stats: readonly StatName[];
  readonly approximation: {
    readonly family: string;
    readonly form: StoredForm | null;
    readonly dim: number;
    readonly sites: readonly StoredCoordinates[];
    readonly tensors: readonly string[];
  } | null;
}

/**
 * A posterior as one safetensors file, which any reader of that format opens: `draws/NAME` [chains, draws, ...shape],
 * `stats/NAME` [chains, draws] and `approximation/NAME`, all float64, and the rest as JSON in the metadata under `posterior`.
 * Equal content gives equal bytes.
 */
export function savePosterior(posterior: SavedPosterior): Uint8Array {
  const { draws, stats = {}, approximation = null } = posterior;
  const tensors: Record<string, StoredTensor> = {};
  const put = (name: string, shape: readonly number[], data: Float64Array): void => {
    tensors[name] = { dtype: "f64", shape, data };
  };
  for (const [name, { shape, values }] of Object.entries(draws.sites)) {
    put(`draws/${name}`, [draws.chains, draws.draws, ...shape], values);
  }
  const present = presentStats(stats);
  for (const [name, values] of present) put(`stats/${name}`, [draws.chains, draws.draws], Float64Array.from(values));
  for (const [name, { shape, values }] of Object.entries(approximation?.tensors ?? {})) {
    put(`approximation/${name}`, shape, values);
  }
  const header: Header = {
    method: posterior.method,
    seed: posterior.seed,
    versions: posterior.versions,
    certificate: posterior.certificate,
    notes: posterior.notes ?? null,
    chains: draws.chains,
    draws: draws.draws,
    sites: Object.entries(draws.sites).map(([name, { shape }]) => ({
      name,
      shape,
      support: posterior.supports?.[name] ?? null,
    })),
    stats: present.map(([name]) => name),
    approximation: approximation && {
      family: approximation.family,
      form: approximation.form,
      dim: approximation.dim,
      sites: approximation.sites.map(({ name, shape, offset, support }) => ({ name, shape, offset, support })),
      tensors: Object.keys(approximation.tensors),
    },
  };
  return encodeSafetensors(tensors, {
    format: FORMAT,
    version: String(VERSION),
    posterior: JSON.stringify(header, keepNonFinite),
  });
}

/**
 * Reads what `savePosterior` wrote.
 *
 * @param source  what errors call the file
 * @throws        DataError when it is no such file, is damaged or was written by a later version
 */
export function loadPosterior(bytes: Uint8Array, source = "the posterior"): SavedPosterior {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata.format !== FORMAT || metadata.posterior === undefined) {
    const found = metadata.format === undefined ? "no format" : `the format "${metadata.format}"`;
    throw new DataError(
      `${source} is a safetensors file with ${found} in its metadata; a posterior says "${FORMAT}". Give the file that ` +
        "a posterior was saved to.",
    );
  }
  if (metadata.version !== String(VERSION)) {
    throw new DataError(
      `${source} has version ${metadata.version} of the format; version ${VERSION} is read. Update ansatz.`,
    );
  }
  const header = parseHeader(metadata.posterior, source);
  const take = (name: string): StoredArray => {
    const tensor = tensors[name];
    if (!tensor || !(tensor.data instanceof Float64Array)) {
      throw new DataError(`${source} lacks the float64 array "${name}" that its metadata name. Save it again.`);
    }
    return { shape: tensor.shape, values: tensor.data };
  };
  const { chains, draws, approximation } = header;
  const drawn = (name: string, shape: readonly number[]): SiteDraws => {
    const { values } = take(`draws/${name}`);
    if (values.length !== chains * draws * sizeOf(shape)) {
      throw new DataError(
        `${source}: the draws of "${name}" are ${values.length} numbers, where ${chains} chains of ${draws} draws ` +
          `need ${chains * draws * sizeOf(shape)}. Save it again.`,
      );
    }
    return { shape, values };
  };
  const supports = header.sites.flatMap(({ name, support }): [string, StoredSupport][] =>
    support ? [[name, support]] : [],
  );
  return {
    method: header.method,
    seed: header.seed,
    versions: header.versions,
    certificate: header.certificate,
    draws: drawsOf(
      chains,
      draws,
      Object.fromEntries(header.sites.map(({ name, shape }) => [name, drawn(name, shape)])),
    ),
    ...(supports.length > 0 && { supports: Object.fromEntries(supports) }),
    ...(header.stats.length > 0 && {
      stats: Object.fromEntries(header.stats.map((name) => [name, take(`stats/${name}`).values])) as SamplerStats,
    }),
    ...(approximation && {
      approximation: {
        family: approximation.family,
        form: approximation.form,
        dim: approximation.dim,
        sites: approximation.sites,
        tensors: Object.fromEntries(approximation.tensors.map((name) => [name, take(`approximation/${name}`)])),
      },
    }),
    ...(header.notes !== null && { notes: header.notes }),
  };
}

/** Key of the object that stands for a number which JSON has no word for. */
const NON_FINITE = "nonFinite";

const keepNonFinite = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? { [NON_FINITE]: String(value) } : value;

const restoreNonFinite = (_: string, value: unknown): unknown =>
  isRecord(value) && typeof value[NON_FINITE] === "string" && Object.keys(value).length === 1
    ? Number(value[NON_FINITE])
    : value;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isShape = (value: unknown): boolean => Array.isArray(value) && value.every(isCount);

function parseHeader(text: string, source: string): Header {
  let header: unknown = null;
  try {
    header = JSON.parse(text, restoreNonFinite);
  } catch {
    // Reported below, together with JSON of another kind.
  }
  const isSite = (site: unknown): boolean => isRecord(site) && typeof site.name === "string" && isShape(site.shape);
  const isApproximation = (value: unknown): boolean =>
    value === null ||
    (isRecord(value) &&
      typeof value.family === "string" &&
      (value.form === null || storedForms.includes(value.form as StoredForm)) &&
      isCount(value.dim) &&
      Array.isArray(value.sites) &&
      value.sites.every((site: unknown) => isSite(site) && isCount((site as StoredCoordinates).offset)) &&
      Array.isArray(value.tensors));
  if (
    !isRecord(header) ||
    !isCount(header.chains) ||
    !isCount(header.draws) ||
    !Array.isArray(header.sites) ||
    !header.sites.every(isSite) ||
    !Array.isArray(header.stats) ||
    !header.stats.every((name) => Object.hasOwn(statNames, name as string)) ||
    !isApproximation(header.approximation)
  ) {
    throw new DataError(`${source}: the description of the posterior in its metadata is damaged. Save it again.`);
  }
  return header as unknown as Header;
}
