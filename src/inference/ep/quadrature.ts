import { hermiteRule } from "./hermite.ts";
import { GAUSS_WEIGHTS, KRONROD_NODES, KRONROD_WEIGHTS } from "./kronrod.ts";
import type { Landmarks, SiteBlock } from "./site-block.ts";
import type { Tilted } from "./tilted-form.ts";

/** A site against its cavity, and what came out the last time (NaN at first): where to look. */
export interface Task {
  readonly site: number;
  readonly mean: number;
  readonly variance: number;
  readonly guess: { readonly mean: number; readonly variance: number } | null;
}

const NODES = KRONROD_NODES.length;
/** Of the integral. */
const TOLERANCE = 1e-12;
/** Cavity sds, or tilted ones, beyond which there is nothing unless the integrand says otherwise. */
const REACH = 9;
/** e^−NEGLIGIBLE of the greatest value is no mass. */
const NEGLIGIBLE = 34;
const MOST_ROUNDS = 80;
const MOST_EXTENSIONS = 50;

/** Edges of the first panels: close together near what is known to be of interest, further apart away from it. */
function edgesFor({ mean, variance, guess }: Task, { breaks, points, unit }: Landmarks): number[] {
  const sd = Math.sqrt(variance);
  const centres: [number, number][] = guess
    ? [[guess.mean, Math.sqrt(guess.variance)]]
    : [[mean, sd], ...points.map((p): [number, number] => [p, Math.min(unit, sd)])];
  let [low, high] = [mean - REACH * sd, mean + REACH * sd];
  for (const [c, s] of centres) {
    low = Math.min(low, c - REACH * s);
    high = Math.max(high, c + REACH * s);
  }
  const edges = [low, high];
  for (const [c, s] of centres) {
    edges.push(c);
    for (let step = 2.2 * s; c - step > low || c + step < high; step *= step < 4 * s ? 2 : 3) {
      if (c - step > low) edges.push(c - step);
      if (c + step < high) edges.push(c + step);
    }
  }
  for (const b of breaks) if (b > low && b < high) edges.push(b);
  edges.sort((a, b) => a - b);
  return edges.filter((e, i) => i === 0 || e > edges[i - 1]! + 1e-14 * (Math.abs(e) + (high - low)));
}

/** A list of numbers that grows. */
class Numbers {
  values = new Float64Array(1024);
  length = 0;
  reserve(n: number): number {
    const at = this.length;
    this.length += n;
    if (this.length > this.values.length) {
      const grown = new Float64Array(2 * this.length);
      grown.set(this.values.subarray(0, at));
      this.values = grown;
    }
    return at;
  }
}

interface Panel {
  readonly row: number;
  readonly low: number;
  readonly high: number;
  /** Where its nodes begin. */
  at: number;
  logScale: number;
  integral: number;
  error: number;
}

/** Room that is used again from call to call. */
export interface Workspace {
  readonly t: Numbers;
  readonly h: Numbers;
}
export const workspace = (): Workspace => ({ t: new Numbers(), h: new Numbers() });

/**
 * Normaliser, mean and variance of cavity · site^power along one projection, by adaptive Gauss–Kronrod panels, all tasks together so
 * that each call of the compiled density has much to do. The range grows until its ends are of no weight. NaN where the product has no
 * finite integral or its density is not a number.
 */
export function tiltedByQuadrature(
  block: SiteBlock,
  tasks: readonly Task[],
  landmarks: readonly Landmarks[],
  power: number,
  room: Workspace,
): Tilted[] {
  room.t.length = 0;
  room.h.length = 0;
  const kept: Panel[][] = tasks.map(() => []);
  const shift = new Float64Array(tasks.length).fill(-Infinity);
  const total = new Float64Array(tasks.length);
  const failed = tasks.map(() => false);
  const extensions = new Int32Array(2 * tasks.length);
  const panel = (row: number, low: number, high: number): Panel => ({ row, low, high, at: 0, logScale: 0, integral: 0, error: 0 }); // biome-ignore format: one line
  let pending: Panel[] = [];
  for (const [row, task] of tasks.entries()) {
    const edges = edgesFor(task, landmarks[task.site]!);
    for (let i = 1; i < edges.length; i++) pending.push(panel(row, edges[i - 1]!, edges[i]!));
  }
  for (let round = 0; pending.length && round < MOST_ROUNDS; round++) {
    evaluate(block, tasks, pending, power, room);
    for (const p of pending) {
      summarise(p, room);
      kept[p.row]!.push(p);
      if (Number.isNaN(p.integral)) failed[p.row] = true;
      shift[p.row] = Math.max(shift[p.row]!, p.logScale);
    }
    total.fill(0);
    for (const panels of kept)
      for (const p of panels) total[p.row]! += p.integral * Math.exp(p.logScale - shift[p.row]!);
    const next: Panel[] = [];
    for (const [row, panels] of kept.entries()) {
      if (failed[row] || !(shift[row]! > -Infinity)) continue;
      const settled: Panel[] = [];
      const [lowest, highest] = [extreme(panels, "low"), extreme(panels, "high")];
      for (const p of panels) {
        const error = p.error * Math.exp(p.logScale - shift[row]!);
        const middle = 0.5 * (p.low + p.high);
        if (error <= TOLERANCE * total[row]! || !(middle > p.low && middle < p.high)) settled.push(p);
        else next.push(panel(row, p.low, middle), panel(row, middle, p.high));
      }
      kept[row] = settled;
      // Beyond the ends: the last node stands for the edge.
      const spread = highest.high - lowest.low;
      if (room.h.values[lowest.at]! >= shift[row]! - NEGLIGIBLE && ++extensions[2 * row]! <= MOST_EXTENSIONS)
        next.push(panel(row, lowest.low - 0.5 * spread, lowest.low));
      if (
        room.h.values[highest.at + NODES - 1]! >= shift[row]! - NEGLIGIBLE &&
        ++extensions[2 * row + 1]! <= MOST_EXTENSIONS
      )
        next.push(panel(row, highest.high, highest.high + 0.5 * spread));
      if (Math.max(extensions[2 * row]!, extensions[2 * row + 1]!) > MOST_EXTENSIONS) failed[row] = true;
    }
    pending = next;
  }
  return tasks.map((task, row) => (failed[row] ? none() : momentsOf(task, kept[row]!, shift[row]!, room)));
}

/** Two rules around the last answer; they must agree to this, and then the larger one is much nearer. */
const RULE_SIZES = [17, 26] as const;
const AGREEMENT = 3e-9;
const BOTH = RULE_SIZES[0] + RULE_SIZES[1];
const quickSites = new Int32Array(BOTH);
const quickT = new Float64Array(BOTH);
const quickH = new Float64Array(BOTH);

/**
 * The same by two Gauss–Hermite rules around the last answer, for a smooth density of which that is not far: false where they do not
 * agree.
 */
export function tiltedNearby(block: SiteBlock, task: Task, power: number, into: Tilted): boolean {
  const { site, mean, variance, guess } = task;
  if (!guess) return false;
  const sd = Math.sqrt(guess.variance);
  quickSites.fill(site);
  let at = 0;
  // They are made when first asked for, not when the module is loaded.
  const rules = RULE_SIZES.map(hermiteRule);
  for (const { nodes } of rules) for (const x of nodes) quickT[at++] = guess.mean + sd * x;
  block.logDensity(quickSites, quickT, BOTH, quickH);
  const moments = [0, 0, 0];
  at = 0;
  for (const [r, { nodes, logWeights }] of rules.entries()) {
    const n = nodes.length;
    let most = -Infinity;
    for (let i = 0; i < n; i++) {
      const d = quickT[at + i]! - mean;
      const value = power * quickH[at + i]! - (0.5 * d * d) / variance + 0.5 * nodes[i]! ** 2 + logWeights[i]!;
      quickH[at + i] = value;
      if (!(value <= most)) most = value;
    }
    if (!Number.isFinite(most)) return false;
    let [mass, first, second] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const weight = Math.exp(quickH[at + i]! - most);
      mass += weight;
      first += weight * nodes[i]!;
      second += weight * nodes[i]! ** 2;
    }
    first /= mass;
    const spread = second / mass - first * first;
    const found = [most + Math.log(mass) + 0.5 * Math.log(guess.variance / variance), first, spread];
    if (r === 1 && !found.every((x, j) => Math.abs(x - moments[j]!) < AGREEMENT)) return false;
    for (let j = 0; j < 3; j++) moments[j] = found[j]!;
    at += n;
  }
  into.logNormaliser = moments[0]!;
  into.mean = guess.mean + sd * moments[1]!;
  into.variance = guess.variance * moments[2]!;
  return true;
}

const none = (): Tilted => ({ logNormaliser: Number.NaN, mean: Number.NaN, variance: Number.NaN });

const extreme = (panels: readonly Panel[], side: "low" | "high"): Panel =>
  panels.reduce((best, p) => ((side === "low" ? p.low < best.low : p.high > best.high) ? p : best));

let siteIds = new Int32Array(0);

/** h(t) = −½ (t − m)² / v + power · log site(t) at the nodes of the panels. */
function evaluate(
  block: SiteBlock,
  tasks: readonly Task[],
  panels: readonly Panel[],
  power: number,
  { t, h }: Workspace,
): void {
  const count = panels.length * NODES;
  const at = t.reserve(count);
  h.reserve(count);
  if (siteIds.length < count) siteIds = new Int32Array(2 * count);
  for (const [i, p] of panels.entries()) {
    p.at = at + i * NODES;
    const [centre, half] = [0.5 * (p.low + p.high), 0.5 * (p.high - p.low)];
    const { site } = tasks[p.row]!;
    for (let j = 0; j < NODES; j++) {
      t.values[p.at + j] = centre + half * KRONROD_NODES[j]!;
      siteIds[i * NODES + j] = site;
    }
  }
  const values = h.values.subarray(at, at + count);
  block.logDensity(siteIds, t.values.subarray(at, at + count), count, values);
  for (const p of panels) {
    const { mean, variance } = tasks[p.row]!;
    for (let j = p.at; j < p.at + NODES; j++) {
      const d = t.values[j]! - mean;
      h.values[j] = power * h.values[j]! - (0.5 * d * d) / variance;
    }
  }
}

/** The integral over a panel in units of e^logScale, with QUADPACK's estimate of its error. */
function summarise(p: Panel, { h }: Workspace): void {
  const half = 0.5 * (p.high - p.low);
  let most = -Infinity;
  for (let j = 0; j < NODES; j++) if (!(h.values[p.at + j]! <= most)) most = h.values[p.at + j]!;
  p.logScale = most;
  if (most === -Infinity) return;
  let [kronrod, gauss] = [0, 0];
  for (let j = 0; j < NODES; j++) {
    const value = Math.exp(h.values[p.at + j]! - most);
    kronrod += KRONROD_WEIGHTS[j]! * value;
    gauss += GAUSS_WEIGHTS[j]! * value;
  }
  p.integral = half * kronrod;
  const difference = Math.abs(kronrod - gauss) / kronrod;
  p.error = p.integral * Math.min(1, (200 * difference) ** 1.5);
}

function momentsOf(task: Task, panels: readonly Panel[], shift: number, { t, h }: Workspace): Tilted {
  if (!(shift > -Infinity)) return none();
  let [mass, first] = [0, 0];
  const each = (use: (t: number, weight: number) => void): void => {
    for (const p of panels) {
      const half = 0.5 * (p.high - p.low);
      if (p.logScale < shift - 2 * NEGLIGIBLE) continue;
      for (let j = 0; j < NODES; j++) {
        use(t.values[p.at + j]!, half * KRONROD_WEIGHTS[j]! * Math.exp(h.values[p.at + j]! - shift));
      }
    }
  };
  each((x, w) => {
    mass += w;
    first += w * (x - task.mean);
  });
  const mean = task.mean + first / mass;
  let second = 0;
  each((x, w) => {
    second += w * (x - mean) * (x - mean);
  });
  const logNormaliser = shift + Math.log(mass) - 0.5 * Math.log(2 * Math.PI * task.variance);
  return { logNormaliser, mean, variance: second / mass };
}
