import type { LogDensity, PortableDensity } from "../log-density.ts";
import { type ChainOptions, type ChainProgress, type ChainResult, progressOf, startChain } from "./chain.ts";
import type { StoredMetric } from "./metric.ts";
import { linkMotion } from "./native-motion.ts";

/** What a thread is given: a density, and the chains that it runs. */
export interface ChainWork {
  readonly density: PortableDensity;
  readonly chains: readonly ChainOptions[];
  /** One shared word: not 0 when the run is to end early. */
  readonly stop: Int32Array;
}

/** A chain's result as data: a metric without its functions. */
export type PostedChain = Omit<ChainResult, "metric"> & { readonly metric: StoredMetric };

export type ChainMessage =
  | { readonly kind: "progress"; readonly event: ChainProgress }
  | { readonly kind: "chains"; readonly chains: readonly PostedChain[] }
  | { readonly kind: "error"; readonly name: string; readonly message: string };

const SLICE_MS = 50;
const PAGE_BYTES = 65536;

/** A density on a copy of the memory that it was compiled for: the same code on the same bytes, hence the same bits. */
export function revive(density: PortableDensity): LogDensity {
  const { dim, image, table, place, value, gradient, transitions } = density;
  const pages = image.byteLength / PAGE_BYTES;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: density.shared });
  new Uint8Array(memory.buffer).set(new Uint8Array(image));
  const instance = new WebAssembly.Instance(density.module, { env: { memory } });
  const run = instance.exports.run as (table: number, steps: number, ring: number, phase: number) => void;
  const look = () => ({
    place: new Float64Array(memory.buffer, density.place, dim),
    value: new Float64Array(memory.buffer, density.value, 1),
    slope: new Float64Array(memory.buffer, density.gradient, dim),
  });
  let views = look();
  let [free, end] = [image.byteLength, image.byteLength];
  /** Beyond the copy, where the memory grows as far as it has to. */
  const allocate = (bytes: number): number => {
    const address = free;
    free += bytes;
    if (free > end) {
      const more = Math.ceil((free - end) / PAGE_BYTES);
      memory.grow(more);
      end += more * PAGE_BYTES;
    }
    return address;
  };
  const code = transitions && linkMotion(transitions, instance, memory);
  return {
    dim,
    evaluate: (u, gradient) => {
      // Memory that has grown leaves views of length 0 behind.
      if (views.place.length === 0) views = look();
      views.place.set(u);
      run(table, 1, 0, 0);
      gradient.set(views.slope);
      return views.value[0]!;
    },
    motion: () => code && { dim, places: { table, place, value, gradient }, code, memory, allocate },
  };
}

/** Runs the chains in turn, in slices, and posts progress, then the draws; an error instead, if there is one. */
export function work({ density, chains, stop }: ChainWork, post: (message: ChainMessage) => void): void {
  try {
    const revived = revive(density);
    const runs = chains.map((options) => startChain(revived, options));
    let going = runs.map((_, i) => i);
    while (going.length > 0 && Atomics.load(stop, 0) === 0) {
      going = going.filter((i) => {
        const more = runs[i]!.advance(performance.now() + SLICE_MS);
        post({ kind: "progress", event: progressOf(chains[i]!.chain ?? 0, runs[i]!) });
        return more;
      });
    }
    const results = runs.map((run): PostedChain => {
      const { metric, ...rest } = run.result();
      return { ...rest, metric: { kind: metric.kind, inverseMass: metric.inverseMass } };
    });
    post({ kind: "chains", chains: results });
  } catch (error) {
    post({ kind: "error", name: (error as Error).name, message: (error as Error).message });
  }
}
