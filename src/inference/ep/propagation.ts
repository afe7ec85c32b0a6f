import type { Slice } from "../slicer.ts";
import { choleskyOf } from "../symmetric-solve.ts";
import type { Base } from "./base.ts";
import { addProduct, addRow, GaussianState } from "./gaussian-state.ts";
import type { Settings } from "./options.ts";
import type { SiteBlock } from "./site-block.ts";
import {
  type BlockState,
  blockState,
  type Fault,
  type Update,
  updateAlong,
  updateJoint,
  updatesAlong,
} from "./site-updates.ts";
import { eigenOf } from "./small-symmetric.ts";

/** A site that could not be updated in the last sweep. */
export interface Failure {
  readonly term: string;
  readonly element: number;
  readonly fault: Fault;
}

export interface Propagated {
  readonly state: GaussianState;
  readonly states: readonly BlockState[];
  readonly logZ: number;
  readonly converged: boolean;
  readonly reason: string;
  readonly sweeps: number;
  readonly residual: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
}

/** Sweeps without a smaller change than before, after which the steps are halved; and the least step. */
const PATIENCE = 8;
const LEAST_STEP = 0.02;
/** Part of a marginal's precision that must be left after an update. */
const LEAST_PRECISION = 0.02;
/** Where the quadratic terms are no Gaussian, sites begin with so much precision. */
const FIRST_PRECISION = 0.05;

/** About so many operations are done before the host is asked whether it waits; a site's integral takes some ten thousand. */
const PIECE = 1e6;
const INTEGRAL = 1e4;

/** EP's iteration: q as a state, the sites' approximations beside it. */
export class Propagation {
  private readonly base: Base;
  private readonly settings: Settings;
  private readonly state: GaussianState;
  private readonly states: readonly BlockState[];
  private readonly dim: number;
  private step: number;
  private skipped = 0;
  private failures: Failure[] = [];
  /** Of sites that do not depend on z. */
  private readonly constant: number;
  private readonly slice: Slice;
  /** Sites between two looks at the clock. */
  private readonly together: number;

  constructor(base: Base, blocks: readonly SiteBlock[], settings: Settings, slice: Slice) {
    this.base = base;
    this.settings = settings;
    this.slice = slice;
    this.dim = base.origin.length;
    this.together = Math.ceil(PIECE / (INTEGRAL + this.dim ** 2));
    this.step = 1 - settings.damping;
    this.states = blocks.filter((b) => b.k > 0).map((b) => blockState(b, this.dim));
    this.constant = constantOf(blocks.filter((b) => b.k === 0));
    this.state = new GaussianState(this.dim);
  }

  async run(): Promise<Propagated> {
    const { tolerance, maxSweeps, schedule } = this.settings;
    const start = await this.begin();
    if (start) return this.result(0, Number.NaN, false, start);
    if (!this.states.length) return this.result(0, 0, true, "every term is quadratic in the latent variables: exact");
    let [sweep, size, best, since] = [0, Infinity, Infinity, 0];
    let reason = "";
    let settled = 0;
    while (sweep < maxSweeps) {
      await this.slice();
      sweep++;
      this.failures = [];
      size = await (schedule === "sequential" ? this.sequential() : this.parallel());
      if (!(await this.refresh())) {
        reason = `in sweep ${sweep} q was no Gaussian any more`;
        break;
      }
      if (size === 0 && this.failures.length) {
        reason = `in sweep ${sweep} no site could be updated`;
        break;
      }
      if (size <= tolerance && !this.failures.length) {
        return this.result(
          sweep,
          size,
          true,
          `no site changed by more than ${size.toExponential(1)} sd in sweep ${sweep}`,
        );
      }
      if (size <= tolerance && ++settled >= PATIENCE) {
        reason = `after ${sweep} sweeps all sites that can be updated are settled`;
        break;
      }
      if (size < 0.9 * best) [best, since] = [size, 0];
      else if (++since >= PATIENCE && this.step > LEAST_STEP) {
        this.step = Math.max(LEAST_STEP, 0.5 * this.step);
        [best, since] = [size, 0];
      }
    }
    reason ||= `after ${sweep} sweeps sites still change by ${size.toExponential(1)} sd (tolerance ${tolerance.toExponential(1)})`;
    return this.result(sweep, size, false, reason);
  }

  /** The first q. Without a Gaussian in the model every site begins with some precision. Says what is wrong, if anything. */
  private async begin(): Promise<string | null> {
    if (this.base.proper) return (await this.refresh()) ? null : "the quadratic terms gave no covariance";
    for (const { tau, block } of this.states) {
      const { k, count, slopes, width } = block;
      for (let site = 0; site < count; site++) {
        for (let j = 0; j < k; j++) {
          let most = 0;
          for (let w = 0; w < width; w++) most = Math.max(most, slopes[(site * width + w) * k + j]! ** 2);
          tau[(site * k + j) * k + j] = FIRST_PRECISION * most;
        }
      }
    }
    if (await this.refresh()) return null;
    return "the posterior has directions that neither a Gaussian term nor a site sees: give every latent site a proper prior";
  }

  /** Base and sites as natural parameters. */
  private async natural(): Promise<{ precision: Float64Array; linear: Float64Array }> {
    const precision = this.base.precision.slice();
    const linear = this.base.linear.slice();
    for (const { block, rows, tau, nu } of this.states) {
      const { k, count } = block;
      for (let site = 0; site < count; site++) {
        for (let a = 0; a < k; a++) {
          const row = site * k + a;
          addRow(rows, row, nu[row]!, linear);
          for (let b = 0; b < k; b++) addProduct(rows, row, site * k + b, tau[row * k + b]!, precision, this.dim);
        }
        if (this.isPause(site)) await this.slice();
      }
    }
    for (let i = 0; i < this.dim; i++) {
      for (let j = 0; j < i; j++) precision[j * this.dim + i] = precision[i * this.dim + j]!;
    }
    return { precision, linear };
  }

  /** Whether the host is to have its turn before or after this site. */
  private isPause(site: number): boolean {
    return site % this.together === this.together - 1;
  }

  private async refresh(): Promise<boolean> {
    const { precision, linear } = await this.natural();
    return this.state.set(precision, linear);
  }

  private fail({ block }: BlockState, site: number, fault: Fault): void {
    this.skipped++;
    this.failures.push({ term: block.term, element: block.elements[site]!, fault });
  }

  private async sequential(): Promise<number> {
    let most = 0;
    for (const s of this.states) {
      const { count, k } = s.block;
      for (let site = 0; site < count; site++) {
        if (this.isPause(site)) await this.slice();
        most = Math.max(most, k > 1 ? this.visitJoint(s, site) : this.visitAlong(s, site));
      }
    }
    return most;
  }

  private visitAlong(s: BlockState, site: number): number {
    const variance = this.state.project(s.rows, site);
    const mean = this.state.meanAlong(s.rows, site);
    const found = updateAlong(s, site, mean, variance, this.settings.alpha);
    if (typeof found === "string") {
      this.fail(s, site, found);
      return 0;
    }
    let step = this.step;
    while (step > 1e-6 && !(1 + step * found.deltaTau[0]! * variance > LEAST_PRECISION)) step *= 0.5;
    const [tau, b] = [step * found.deltaTau[0]!, step * found.deltaNu[0]!];
    s.tau[site]! += tau;
    s.nu[site]! += b;
    this.state.multiply(tau, b, variance, mean);
    return found.size;
  }

  /** The marginal of a site's projections. */
  private marginal({ block, rows }: BlockState, site: number): { mean: Float64Array; covariance: Float64Array } {
    const { k } = block;
    const mean = new Float64Array(k);
    const covariance = new Float64Array(k * k);
    const column = new Float64Array(this.dim);
    for (let j = 0; j < k; j++) {
      const r = site * k + j;
      this.state.project(rows, r, column);
      mean[j] = this.state.meanAlong(rows, r);
      for (let i = 0; i < k; i++) {
        let sum = 0;
        const ri = site * k + i;
        for (let e = rows.starts[ri]!; e < rows.starts[ri + 1]!; e++)
          sum += rows.values[e]! * column[rows.columns[e]!]!;
        covariance[i * k + j] = sum;
      }
    }
    return { mean, covariance };
  }

  private visitJoint(s: BlockState, site: number): number {
    const { k } = s.block;
    const { mean, covariance } = this.marginal(s, site);
    const found = updateJoint(s, site, mean, covariance, this.settings.alpha);
    if (typeof found === "string") {
      this.fail(s, site, found);
      return 0;
    }
    // Along the eigenvectors of the change each update has rank one; the growing ones first.
    const { values, vectors } = eigenOf(found.deltaTau, k);
    let step = this.step;
    const precisionOf = (scale: number): boolean => {
      const lower = choleskyOf(covariance, k)!;
      // I + s Lᵀ Δ L must stay well above 0.
      const inner = new Float64Array(k * k);
      for (let a = 0; a < k; a++) {
        for (let b = 0; b < k; b++) {
          let sum = a === b ? 1 - LEAST_PRECISION : 0;
          for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) sum += scale * lower[i * k + a]! * found.deltaTau[i * k + j]! * lower[j * k + b]!; // biome-ignore format: one line
          inner[a * k + b] = sum;
        }
      }
      return choleskyOf(inner, k) !== null;
    };
    while (step > 1e-6 && !precisionOf(step)) step *= 0.5;
    const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!);
    const column = new Float64Array(this.dim);
    const part = new Float64Array(this.dim);
    for (const e of order) {
      column.fill(0);
      let along = 0;
      let b = 0;
      for (let j = 0; j < k; j++) {
        const c = vectors[j * k + e]!;
        this.state.project(s.rows, site * k + j, part);
        for (let i = 0; i < this.dim; i++) column[i]! += c * part[i]!;
        along += c * this.state.meanAlong(s.rows, site * k + j);
        b += c * found.deltaNu[j]!;
      }
      let variance = 0;
      for (let j = 0; j < k; j++) {
        const r = site * k + j;
        let sum = 0;
        for (let f = s.rows.starts[r]!; f < s.rows.starts[r + 1]!; f++)
          sum += s.rows.values[f]! * column[s.rows.columns[f]!]!;
        variance += vectors[j * k + e]! * sum;
      }
      this.state.multiply(step * values[e]!, step * b, variance, along, column);
    }
    for (let i = 0; i < k * k; i++) s.tau[site * k * k + i]! += step * found.deltaTau[i]!;
    for (let i = 0; i < k; i++) s.nu[site * k + i]! += step * found.deltaNu[i]!;
    return found.size;
  }

  /** Updates of all sites of a block against the present q. */
  private async updates(s: BlockState): Promise<(Update | Fault)[]> {
    const { count, k } = s.block;
    const { alpha } = this.settings;
    const found: (Update | Fault)[] = [];
    const marginals: [mean: number, variance: number][] = [];
    for (let site = 0; site < count; site++) {
      if (this.isPause(site)) await this.slice();
      if (k === 1) {
        marginals.push([this.state.meanAlong(s.rows, site), this.state.project(s.rows, site)]);
        continue;
      }
      const { mean, covariance } = this.marginal(s, site);
      found.push(updateJoint(s, site, mean, covariance, alpha));
    }
    return k === 1 ? updatesAlong(s, [...marginals.keys()], marginals, alpha, this.slice) : found;
  }

  private async parallel(): Promise<number> {
    const all: (Update | Fault)[][] = [];
    for (const s of this.states) all.push(await this.updates(s));
    let most = 0;
    const before = this.states.map(({ tau, nu }) => ({ tau: tau.slice(), nu: nu.slice() }));
    for (const [i, s] of this.states.entries()) {
      for (const [site, found] of all[i]!.entries()) {
        if (typeof found === "string") this.fail(s, site, found);
        else most = Math.max(most, found.size);
      }
    }
    // A step that leaves no Gaussian is halved until it does.
    for (let step = this.step; step > 1e-6; step *= 0.5) {
      for (const [i, { tau, nu, block }] of this.states.entries()) {
        const { k } = block;
        tau.set(before[i]!.tau);
        nu.set(before[i]!.nu);
        for (const [site, found] of all[i]!.entries()) {
          if (typeof found === "string") continue;
          for (let e = 0; e < k * k; e++) tau[site * k * k + e]! += step * found.deltaTau[e]!;
          for (let e = 0; e < k; e++) nu[site * k + e]! += step * found.deltaNu[e]!;
        }
      }
      if (await this.refresh()) return most;
    }
    for (const [i, { tau, nu }] of this.states.entries()) {
      tau.set(before[i]!.tau);
      nu.set(before[i]!.nu);
    }
    return most;
  }

  /** log Z = constants + log ∫ q + Σ (log Ẑ − log own) / α (Minka 2005, power EP). */
  private async logZ(): Promise<number> {
    const { linear } = await this.natural();
    let sum = this.base.constant + this.constant + this.state.logIntegral(linear);
    for (const s of this.states) {
      for (const found of await this.updates(s)) {
        if (typeof found === "string") return Number.NaN;
        sum += (found.logNormaliser - found.logOwn) / this.settings.alpha;
      }
    }
    return sum;
  }

  private async result(sweeps: number, residual: number, converged: boolean, reason: string): Promise<Propagated> {
    const { state, states, failures, skipped } = this;
    let said = reason;
    const [first] = failures;
    if (first) {
      const others = failures.length > 1 ? ` and ${failures.length - 1} other sites` : "";
      said += `; element ${first.element + 1} of ${first.term}${others} could not be updated: ${first.fault}`;
    }
    if (this.step < 1 - this.settings.damping) said += `; steps were cut to ${this.step}`;
    return { state, states, logZ: await this.logZ(), converged, reason: said, sweeps, residual, skipped, failures };
  }
}

/** The log density of sites that do not depend on z. */
function constantOf(blocks: readonly SiteBlock[]): number {
  let sum = 0;
  for (const { count, logDensity } of blocks) {
    const values = new Float64Array(count);
    const sites = Int32Array.from({ length: count }, (_, i) => i);
    logDensity(sites, new Float64Array(0), count, values);
    for (const v of values) sum += v;
  }
  return sum;
}
