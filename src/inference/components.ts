import type { Generator } from "../base/generator.ts";
import { constrain } from "../posterior/host-transforms.ts";
import type { Coordinates } from "./problem.ts";

/** Axes of more elements than that are not those of components. */
const MOST_COMPONENTS = 12;
/** Spread of a coordinate that is the same for all components. */
const LEAST_SPREAD = 0.5;

/** A site on a scale where each element is free of the others: of `ordered` vectors the values, of simplexes the logarithms. */
interface Loose {
  readonly site: Coordinates;
  readonly size: number;
  /** Where its part of the loose vector begins. */
  readonly from: number;
}

/** Elements [size of the axis][·] of the loose vector, by their index along the axes of one length. */
interface Axis {
  readonly size: number;
  readonly slices: readonly (readonly number[])[];
  /** The first ordered site that has this axis as its last: by it the components are put in order. */
  readonly order: Loose | null;
}

/**
 * Parts of a posterior that are alike, as the components of a mixture or the states of a chain: index i of all axes of one length. Starts of
 * searches redraw them whole, where a start that moves each coordinate alone hardly ever puts a component's mean, scale and weight right together.
 */
export class Components {
  private readonly sites: readonly Loose[];
  private readonly dim: number;
  private readonly axes: readonly Axis[];

  constructor(coordinates: readonly Coordinates[]) {
    let at = 0;
    this.sites = coordinates.map((site) => {
      const size = site.support.kind === "simplex" ? site.shape.reduce((a, b) => a * b, 1) : site.size;
      at += size;
      return { site, size, from: at - size };
    });
    this.dim = coordinates.reduce((n, { size }) => n + size, 0);
    const lengths = new Set(coordinates.flatMap(({ shape }) => shape.filter((n) => n > 1 && n <= MOST_COMPONENTS)));
    this.axes = [...lengths].map((size) => axisOf(this.sites, size));
  }

  get any(): boolean {
    return this.axes.length > 0;
  }

  /** Components along the longest axis. */
  get most(): number {
    return this.axes.reduce((most, { size }) => Math.max(most, size), 0);
  }

  /** All components anew, about the mean of those at x and as far apart as those are. */
  redrawn(x: Float64Array, generator: Generator): Float64Array {
    const loose = this.loosened(x);
    const axis = this.pick(generator);
    const { mean, spread } = momentsOf(loose, axis);
    for (const slice of axis.slices) {
      for (const [i, at] of slice.entries()) loose[at] = mean[i]! + 1.5 * spread[i]! * generator.normal();
    }
    return this.tightened(this.inOrder(loose, axis));
  }

  /** One component of those at x put beside another, which it shares the data of, or anywhere among them. */
  moved(x: Float64Array, generator: Generator): Float64Array {
    const loose = this.loosened(x);
    const axis = this.pick(generator);
    const { mean, spread } = momentsOf(loose, axis);
    const k = below(axis.size, generator);
    const beside = axis.slices[(k + 1 + below(axis.size - 1, generator)) % axis.size]!;
    const anywhere = generator.uniform() < 0.5;
    const far = anywhere ? 1.5 : 0.3;
    for (const [i, at] of axis.slices[k]!.entries()) {
      loose[at] = (anywhere ? mean[i]! : loose[beside[i]!]!) + far * spread[i]! * generator.normal();
    }
    return this.tightened(this.inOrder(loose, axis));
  }

  private pick(generator: Generator): Axis {
    return this.axes[below(this.axes.length, generator)]!;
  }

  private loosened(x: Float64Array): Float64Array {
    const loose = new Float64Array(this.sites.reduce((n, { size }) => n + size, 0));
    for (const { site, size, from } of this.sites) {
      const { kind } = site.support;
      if (kind === "simplex" || kind === "ordered") constrain({ kind }, site.shape, x, site.offset, loose, from);
      else loose.set(x.subarray(site.offset, site.offset + site.size), from);
      if (kind === "simplex") for (let i = from; i < from + size; i++) loose[i] = Math.log(loose[i]!);
    }
    return loose;
  }

  private tightened(loose: Float64Array): Float64Array {
    const x = new Float64Array(this.dim);
    for (const { site, size, from } of this.sites) {
      const values = loose.subarray(from, from + size);
      const n = site.shape.at(-1)!;
      const { kind } = site.support;
      const u =
        kind === "simplex" ? rows(values, n).flatMap(helmert) : kind === "ordered" ? rows(values, n).flatMap(increments) : values; // biome-ignore format: one line
      x.set(u, site.offset);
    }
    return x;
  }

  /** The components in the order that an ordered site asks for. */
  private inOrder(loose: Float64Array, { size, slices, order }: Axis): Float64Array {
    if (!order) return loose;
    const rank = Array.from({ length: size }, (_, i) => i).sort((a, b) => loose[order.from + a]! - loose[order.from + b]!); // biome-ignore format: one line
    const sorted = loose.slice();
    for (const [to, from] of rank.entries()) {
      for (const [i, at] of slices[to]!.entries()) sorted[at] = loose[slices[from]![i]!]!;
    }
    return sorted;
  }
}

function axisOf(sites: readonly Loose[], size: number): Axis {
  const slices = Array.from({ length: size }, () => [] as number[]);
  let order: Loose | null = null;
  for (const loose of sites) {
    const { site, from, size: all } = loose;
    const { kind } = site.support;
    const shape = kind === "simplex" || all === site.shape.reduce((a, b) => a * b, 1) ? site.shape : [];
    // Of a square one, as of a chain's transitions, the rows alone.
    const axis = shape.indexOf(size);
    if (axis < 0) continue;
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    for (let i = 0; i < all; i++) slices[Math.floor(i / inner) % size]!.push(from + i);
    if (kind === "ordered" && shape.length === 1) order ??= loose;
  }
  return { size, slices, order };
}

/** Over the components, of each of their coordinates. */
function momentsOf(
  loose: Float64Array,
  { size, slices }: Axis,
): { readonly mean: number[]; readonly spread: number[] } {
  const mean = slices[0]!.map((_, i) => slices.reduce((sum, slice) => sum + loose[slice[i]!]!, 0) / size);
  const spread = mean.map((m, i) =>
    Math.max(LEAST_SPREAD, Math.sqrt(slices.reduce((sum, slice) => sum + (loose[slice[i]!]! - m) ** 2, 0) / size)),
  );
  return { mean, spread };
}

const below = (n: number, generator: Generator): number => Math.floor(n * generator.uniform());

const rows = (values: Float64Array, n: number): Float64Array[] =>
  Array.from({ length: values.length / n }, (_, r) => values.subarray(r * n, (r + 1) * n));

// Inverses of the maps of posterior/host-transforms.ts.

/** The free numbers of a simplex, from the logarithms of its elements up to a constant. */
function helmert(logs: Float64Array): number[] {
  let sum = 0;
  return Array.from(logs.subarray(1), (l, i) => {
    sum += logs[i]!;
    return (sum - (i + 1) * l) / Math.sqrt((i + 1) * (i + 2));
  });
}

/** Values that come too near one another for the logarithm of what lies between are moved apart. */
const increments = (x: Float64Array): number[] =>
  Array.from(x, (v, i) => (i === 0 ? v : Math.log(Math.max(v - x[i - 1]!, 1e-3))));
