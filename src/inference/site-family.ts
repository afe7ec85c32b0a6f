import { type Shape, sizeOf } from "../base/shape.ts";
import { type Bijector, bijectorTo } from "../constraints/bijector.ts";
import { asTensor, type Params } from "../distributions/distribution.ts";
import { LOG_2PI, type VariationalFamily } from "../families/variational-family.ts";
import { concat } from "../tensor/functions.ts";
import { type Key, normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Coordinates, Problem } from "./problem.ts";
import { atElements, type SiteChoice } from "./site-choice.ts";

/**
 * q of one site, a product over its elements, as a density of the site's unconstrained coordinates. Its parameters are one row of free
 * numbers for each element: `raw` is [elements · width], or has rows of them in front, [n, elements · width].
 */
export interface SiteDensity {
  readonly name: string;
  readonly family: string;
  /** Coordinates in the unconstrained vector. */
  readonly size: number;
  readonly elements: number;
  readonly width: number;
  readonly reparameterised: boolean;
  /** Of each free number of an element: whether it is a logarithm or a logit, so that 1 is a large step whatever the data are. */
  readonly unitless: readonly boolean[];
  /** The family's own parameters, [...batch, ...its shape]; those that are fixed included. */
  params(raw: Tensor): Params;
  /** [n, size]. */
  draw(raw: Tensor, key: Key<Tensor>, n: number): Tensor;
  /** log q of u [n, size], shape [n]. */
  logProb(raw: Tensor, u: Tensor): Tensor;
  /** Free numbers to begin with, [elements · width]; null where none were given. */
  start(like: Tensor): Tensor | null;
}

interface FreeParam {
  readonly name: string;
  readonly bijector: Bijector;
  readonly offset: number;
  readonly size: number;
  /** Of one element's free numbers. */
  readonly unconstrained: Shape;
}

const sumOfRest = (x: Tensor): Tensor => (x.shape.length > 1 ? x.sum(x.shape.slice(1).map((_, i) => i + 1)) : x);

/** A family that was chosen, seen through the model's map onto the site's support: log q(u) = log q(x) + log |dx/du|. */
function explicit(choice: SiteChoice): SiteDensity {
  const { site, family, support, fixed, batch } = choice;
  const onto = bijectorTo(support);
  let width = 0;
  const free: FreeParam[] = Object.entries(choice.free).map(([name, shape]) => {
    const bijector = bijectorTo(family.params[name]!.support);
    const unconstrained = bijector.unconstrainedShape(shape);
    const made = { name, bijector, offset: width, size: sizeOf(unconstrained), unconstrained };
    width += made.size;
    return made;
  });
  const elements = sizeOf(batch);
  const params = (raw: Tensor): Params => {
    const lead = raw.shape.slice(0, -1);
    const rows = width ? raw.reshape([...lead, elements, width]) : raw;
    const own = free.map(({ name, bijector, offset, size, unconstrained }) => {
      const u = rows.narrow(-1, offset, size).reshape([...lead, ...batch, ...unconstrained]);
      return [name, bijector.forward(u)] as const;
    });
    const rest = Object.entries(fixed).map(([name, value]) => [name, atElements(choice, name, asTensor(raw.trace, value))] as const); // biome-ignore format: one line
    return Object.fromEntries([...own, ...rest]);
  };
  return {
    name: site.name,
    family: family.name,
    size: site.size,
    elements,
    width,
    reparameterised: family.reparameterised !== null,
    unitless: free.flatMap(({ name, size }) => Array<boolean>(size).fill(family.params[name]!.support.kind !== "real")),
    params,
    draw: (raw, key, n) => onto.inverse(family.sample!(key, params(raw), [n, ...batch])).reshape([n, site.size]),
    logProb: (raw, flat) => {
      const n = flat.shape[0]!;
      const u = flat.reshape([n, ...site.unconstrainedShape]);
      const x = onto.forward(u);
      return sumOfRest(family.logProb(x, params(raw))).add(sumOfRest(onto.logJacobian(u, x)));
    },
    start: (like) => {
      const { start } = choice;
      if (!start || !width) return null;
      const parts = free.map(({ name, bijector, size }) =>
        bijector.inverse(atElements(choice, name, asTensor(like.trace, start[name]!))).reshape([elements, size]),
      );
      return concat(parts, 1).reshape([elements * width]);
    },
  };
}

/** What a site gets that q does not name: independent Gaussians of its unconstrained coordinates, by mean and log sd. */
function gaussian({ name, size }: Coordinates): SiteDensity {
  const columns = (raw: Tensor) => {
    const lead = raw.shape.slice(0, -1);
    const rows = raw.reshape([...lead, size, 2]);
    const column = (at: number) => rows.narrow(-1, at, 1).reshape([...lead, size]);
    return { mean: column(0), logSd: column(1) };
  };
  return {
    name,
    family: "normal (unconstrained)",
    size,
    elements: size,
    width: 2,
    reparameterised: true,
    unitless: [false, true],
    params: (raw) => ({ mean: columns(raw).mean, sd: columns(raw).logSd.exp() }),
    draw: (raw, key, n) => {
      const { mean, logSd } = columns(raw);
      return normal(key, [n, size], "f64").mul(logSd.exp()).add(mean);
    },
    logProb: (raw, u) => {
      const { mean, logSd } = columns(raw);
      const z = u.sub(mean).mul(logSd.neg().exp());
      return z.square().add(LOG_2PI).mul(-0.5).sub(logSd).sum(-1);
    },
    start: () => null,
  };
}

/** The densities of all sites in the order of the unconstrained vector, and where each has its parameters in `raw`. */
export interface SiteProduct {
  readonly dim: number;
  readonly sites: readonly (SiteDensity & { readonly from: number; readonly at: number })[];
  /** Free numbers in all. */
  readonly rawSize: number;
  readonly reparameterised: boolean;
  /** [n, dim]. */
  draw(raw: Tensor, key: Key<Tensor>, n: number): Tensor;
  /** [n]; `raw` is [rawSize] or [n, rawSize]. */
  logProb(raw: Tensor, u: Tensor): Tensor;
}

export function siteProduct({ coordinates, dim }: Problem, choices: readonly SiteChoice[]): SiteProduct {
  let rawSize = 0;
  const sites = coordinates.map((site) => {
    const choice = choices.find((c) => c.site.name === site.name);
    const made = { ...(choice ? explicit(choice) : gaussian(site)), from: rawSize, at: site.offset };
    rawSize += made.elements * made.width;
    return made;
  });
  const rawOf = (raw: Tensor, { from, elements, width }: (typeof sites)[number]) => raw.narrow(-1, from, elements * width); // biome-ignore format: short
  return {
    dim,
    sites,
    rawSize,
    reparameterised: sites.every((s) => s.reparameterised),
    draw: (raw, key, n) => concat(sites.map((s) => s.draw(rawOf(raw, s), key.site(s.name), n)), 1), // biome-ignore format: short
    logProb: (raw, u) =>
      sites.map((s) => s.logProb(rawOf(raw, s), u.narrow(1, s.at, s.size))).reduce((a, b) => a.add(b)), // biome-ignore format: short
  };
}

/** Where the free numbers begin, and a linear map for the numbers of each element, in units of which q moves about evenly. */
export interface SiteScaling {
  /** [rawSize]. */
  readonly base: Float64Array;
  /** For each site by turns: [elements, width, width], or [elements, width] where the map is diagonal. */
  readonly factors: readonly { readonly values: Float64Array; readonly diagonal: boolean }[];
}

/**
 * The product as a family whose parameters are φ with raw = base + C φ, C block by block. Numbers that stay as they are, base and C,
 * stand behind φ in the parameter vector, where no gradient reaches them.
 */
export function siteFamily(product: SiteProduct, { base, factors }: SiteScaling): VariationalFamily {
  const { dim, sites, rawSize } = product;
  let size = 2 * rawSize;
  const places = factors.map(({ values }) => {
    const from = size;
    size += values.length;
    return from;
  });
  const rawOf = (params: Tensor): Tensor => {
    const kept = params.stopGradient();
    const parts = sites.flatMap(({ from, elements, width }, i) => {
      if (!width) return [];
      const { values, diagonal } = factors[i]!;
      const phi = params.narrow(0, from, elements * width);
      const factor = kept.narrow(0, places[i]!, values.length);
      if (diagonal) return [factor.mul(phi)];
      const rows = factor.reshape([elements, width, width]).mul(phi.reshape([elements, 1, width]));
      return [rows.sum(2).reshape([elements * width])];
    });
    return concat(parts, 0).add(kept.narrow(0, rawSize, rawSize));
  };
  return {
    name: "sites",
    dim,
    size,
    noiseSize: 0,
    strata: 1,
    closedUnder: "diagonal",
    learningRate: 0.1,
    initial: () => {
      const params = new Float64Array(size);
      params.set(base, rawSize);
      for (const [i, { values }] of factors.entries()) params.set(values, places[i]);
      return params;
    },
    draw: () => {
      throw new TypeError("draws of q by site come from a key");
    },
    drawByKey: (params, key, n) => product.draw(rawOf(params), key, n),
    logShares: null,
    logProb: (params, x) => product.logProb(rawOf(params), x),
    drawWithLogProb: null,
    entropy: null,
    moments: null,
    mapped: (params, { location, factor, diagonal }) =>
      diagonal && location.every((l) => l === 0) && factor.every((f) => f === 1) ? params : null,
  };
}

/** Calls `use` with each entry of C: raw number, number of φ, entry. */
function eachEntry(
  { sites }: SiteProduct,
  { factors }: SiteScaling,
  use: (to: number, from: number, c: number) => void,
): void {
  for (const [i, { from, elements, width }] of sites.entries()) {
    const { values, diagonal } = factors[i]!;
    for (let e = 0; e < elements; e++) {
      const first = from + e * width;
      for (let a = 0; a < width; a++) {
        if (diagonal) use(first + a, first + a, values[e * width + a]!);
        else for (let k = 0; k < width; k++) use(first + a, first + k, values[(e * width + a) * width + k]!);
      }
    }
  }
}

/** base + C φ on the host. */
export function moved(product: SiteProduct, scaling: SiteScaling, phi: Float64Array): Float64Array {
  const raw = scaling.base.slice();
  eachEntry(product, scaling, (to, from, c) => {
    raw[to]! += c * phi[from]!;
  });
  return raw;
}

/** Cᵀ g: the gradient in φ. */
export function pulledBack(product: SiteProduct, scaling: SiteScaling, g: Float64Array): Float64Array {
  const out = new Float64Array(product.rawSize);
  eachEntry(product, scaling, (to, from, c) => {
    out[from]! += c * g[to]!;
  });
  return out;
}
