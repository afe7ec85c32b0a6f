// The log densities of examples/posteriordb in plain arithmetic, on the unconstrained scale, from posteriordb's descriptions. Constants may
// differ: what is compared are differences.
import { halfCauchyLog, logSumExp, normalLog, poissonLog, sequences, sigmoid, sum } from "../model/formulas.ts";

export interface Case {
  /** Small data in the form of the posterior's JSON file. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Names of the parameters that the reference has. */
  readonly parameters: readonly string[];
  /** Size of the unconstrained vector, in the order in which the model's text samples. */
  readonly dim: number;
  readonly logDensity: (u: readonly number[]) => number;
  /** Greatest difference allowed, where the model is solved numerically. Default 1e-8. */
  readonly tolerance?: number;
}

/** Numbers between 0 and 1 without a pattern. */
const irregular = (n: number, shift: number): number[] =>
  Array.from({ length: n }, (_, i) => (Math.sin(12.9898 * (i + 1) + 78.233 * shift) * 43758.5453) % 1).map(Math.abs);
const numbered = (name: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${name}[${i + 1}]`);
const columns = (...all: readonly number[][]): number[][] => all[0]!.map((_, i) => all.map((c) => c[i]!));
const mean = (x: readonly number[]): number => sum(x) / x.length;
const sampleSd = (x: readonly number[]): number => Math.sqrt(sum(x.map((v) => (v - mean(x)) ** 2)) / (x.length - 1));
const times = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x * b[i]!);
const dot = (a: readonly number[], b: readonly number[]): number => sum(times(a, b));
const logs = (x: readonly number[]): number[] => x.map(Math.log);
const studentLog = (x: number, nu: number, m: number, s: number): number =>
  -0.5 * (nu + 1) * Math.log(1 + ((x - m) / s) ** 2 / nu);
const logNormalLog = (x: number, m: number, s: number): number => normalLog(Math.log(x), m, s) - Math.log(x);

/** y_i ~ Normal(x_i · beta, sigma), coordinates beta and log sigma. */
function regression(
  data: Case["data"],
  design: readonly number[][],
  y: readonly number[],
  prior: (beta: readonly number[], sigma: number) => number = () => 0,
): Case {
  const k = design[0]!.length;
  return {
    data,
    parameters: [...numbered("beta", k), "sigma"],
    dim: k + 1,
    logDensity: (u) => {
      const [coefficients, sigma] = [u.slice(0, k), Math.exp(u[k]!)];
      const likelihood = sum(design.map((row, i) => normalLog(y[i]!, dot(row, coefficients), sigma)));
      return likelihood + prior(coefficients, sigma) + u[k]!;
    },
  };
}

const N = 9;
const ones = Array<number>(N).fill(1);
const column = (shift: number): number[] => irregular(N, shift);
const binary = (shift: number): number[] => column(shift).map((x) => Math.round(x));
const level = (shift: number, levels: number): number[] => column(shift).map((x) => 1 + Math.floor(levels * x));
const positive = (shift: number): number[] => column(shift).map((x) => 0.5 + 2 * x);

const kids = { N, kid_score: column(1), mom_hs: binary(2), mom_iq: column(3), mom_work: level(4, 4) };
const byCauchy = (_: readonly number[], sigma: number): number => halfCauchyLog(sigma, 2.5);
const z = (x: readonly number[], sds: number): number[] => x.map((v) => (v - mean(x)) / (sds * sampleSd(x)));

const people = { N, earn: positive(5), height: positive(6), male: binary(7) };
const bush = {
  N,
  weight: positive(8),
  diam1: positive(9),
  diam2: positive(10),
  canopy_height: positive(11),
  total_height: positive(12),
  density: positive(13),
  group: binary(14),
};
const voters = {
  N,
  partyid7: level(15, 7),
  real_ideo: level(16, 7),
  race_adj: level(17, 2),
  age_discrete: level(18, 4),
  educ1: level(19, 4),
  gender: level(20, 2),
  income: level(21, 5),
  year: Array(N).fill(2000),
};
const isLevel = (x: readonly number[], k: number): number[] => x.map((v) => (v === k ? 1 : 0));
const survey = regression(
  voters,
  columns(
    ones, voters.real_ideo, voters.race_adj, ...[2, 3, 4].map((k) => isLevel(voters.age_discrete, k)), voters.educ1,
    voters.gender, voters.income,
  ), // biome-ignore format: a list
  voters.partyid7,
);

const blr = { N, D: 5, X: columns(...[22, 23, 24, 25, 26].map(column)), y: column(27) };
const bayesian = regression(blr, blr.X, blr.y, (beta, sigma) => sum(beta.map((b) => normalLog(b, 0, 10))) + normalLog(sigma, 0, 10)); // biome-ignore format: one line

const stones = { N, K: 4, X: columns(ones, ...[28, 29, 30].map(column)), Y: column(31), prior_only: 0 };
const line = { N, x: column(32), y: column(33), pmualpha: 0.5, psalpha: 2, pmubeta: -0.3, psbeta: 0.7, xpred: 3 };
const schools = { J: 8, y: irregular(8, 34), sigma: irregular(8, 35).map((x) => x + 0.5) };
const ar = { K: 2, T: N, y: column(36) };
const short = { T: N, y: column(37) };
const garch = { T: N, y: column(38), sigma1: 0.6 };
const process = { N: 5, x: [-4, -2, 0, 1, 4], y: irregular(5, 39), k: [3, 0, 2, 5, 1] };
const hidden = { N: 6, K: 2, y: irregular(6, 40).map((x) => 8 * x) };
const drives = { N: 6, K: 2, u: irregular(6, 41), v: irregular(6, 42), alpha: [[4, 2], [1.5, 3]], tau: 0.3, rho: 0.4 }; // biome-ignore format: one line
const pelts = { N: 3, ts: [1, 2, 3], y_init: [9, 4], y: [[12, 5], [14, 9], [8, 12]] }; // biome-ignore format: one line

/** log p of a hidden Markov chain of two states by summing over all paths; either first state has weight one. */
const overPaths = (rows: readonly number[][], emission: readonly number[][]): number =>
  logSumExp(
    [...sequences(emission.length, 2)].map((path) =>
      sum(path.map((k, t) => (t ? Math.log(rows[path[t - 1]!]![k]!) : 0) + emission[t]![k]!)),
    ),
  );
/** Two probabilities from their unconstrained coordinate, √2 of it being the log odds, with the log-Jacobian. */
const pair = (u: number): { p: number[]; logJacobian: number } => {
  const first = sigmoid(Math.SQRT2 * u);
  return { p: [first, 1 - first], logJacobian: Math.log(first) + Math.log(1 - first) };
};

/** The lower triangular factor of a positive definite matrix. */
export function choleskyOf(a: readonly number[][]): number[][] {
  const l = a.map((row) => row.map(() => 0));
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = a[i]![j]! - sum(Array.from({ length: j }, (_, k) => l[i]![k]! * l[j]![k]!));
      l[i]![j] = i === j ? Math.sqrt(rest) : rest / l[j]![j]!;
    }
  }
  return l;
}
const kernel = (rho: number, alpha: number, diagonal: number): number[][] =>
  process.x.map((a, i) =>
    process.x.map((b, j) => alpha ** 2 * Math.exp(-((a - b) ** 2) / (2 * rho ** 2)) + (i === j ? diagonal : 0)),
  );
const gammaLog = (x: number, shape: number, rate: number): number => (shape - 1) * Math.log(x) - rate * x;

const eightSchools = (mu: number, logTau: number, theta: readonly number[]): number =>
  normalLog(mu, 0, 5) +
  halfCauchyLog(Math.exp(logTau), 5) +
  logTau +
  sum(theta.map((t, j) => normalLog(schools.y[j]!, t, schools.sigma[j]!)));

/** States of Lotka and Volterra's equations at the years 1, 2, 3, by 500 steps of Kutta's method a year. */
function populations([a, b, c, d]: readonly number[], start: readonly number[]): number[][] {
  const slope = ([u, v]: readonly number[]): number[] => [(a! - b! * v!) * u!, (d! * u! - c!) * v!];
  const moved = (x: readonly number[], k: readonly number[], h: number): number[] => x.map((v, i) => v + h * k[i]!);
  const h = 1 / 500;
  let now = [...start];
  return pelts.ts.map(() => {
    for (let step = 0; step < 500; step++) {
      const k1 = slope(now);
      const k2 = slope(moved(now, k1, h / 2));
      const k3 = slope(moved(now, k2, h / 2));
      const k4 = slope(moved(now, k3, h));
      now = now.map((x, i) => x + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
    }
    return now;
  });
}

export const cases: Readonly<Record<string, Case>> = {
  "kidiq-kidscore_momiq": regression(kids, columns(ones, kids.mom_iq), kids.kid_score, byCauchy),
  "kidiq-kidscore_momhs": regression(kids, columns(ones, kids.mom_hs), kids.kid_score, byCauchy),
  "kidiq-kidscore_interaction": regression(
    kids,
    columns(ones, kids.mom_hs, kids.mom_iq, times(kids.mom_hs, kids.mom_iq)),
    kids.kid_score,
    byCauchy,
  ),
  "kidiq_with_mom_work-kidscore_interaction_z": regression(
    kids,
    columns(ones, z(kids.mom_hs, 2), z(kids.mom_iq, 2), times(z(kids.mom_hs, 2), z(kids.mom_iq, 2))),
    kids.kid_score,
  ),
  "kidiq_with_mom_work-kidscore_mom_work": regression(
    kids,
    columns(ones, ...[2, 3, 4].map((k) => isLevel(kids.mom_work, k))),
    kids.kid_score,
  ),
  "earnings-earn_height": regression(people, columns(ones, people.height), people.earn),
  "earnings-logearn_height": regression(people, columns(ones, people.height), logs(people.earn)),
  "earnings-logearn_interaction_z": regression(
    people,
    columns(ones, z(people.height, 1), people.male, times(z(people.height, 1), people.male)),
    logs(people.earn),
  ),
  "mesquite-mesquite": regression(
    bush,
    columns(ones, bush.diam1, bush.diam2, bush.canopy_height, bush.total_height, bush.density, bush.group),
    bush.weight,
  ),
  "mesquite-logmesquite": regression(
    bush,
    columns(
      ones, ...[bush.diam1, bush.diam2, bush.canopy_height, bush.total_height, bush.density].map(logs), bush.group,
    ), // biome-ignore format: a list
    logs(bush.weight),
  ),
  "mesquite-logmesquite_logvas": regression(
    bush,
    columns(
      ones,
      logs(times(times(bush.diam1, bush.diam2), bush.canopy_height)),
      logs(times(bush.diam1, bush.diam2)),
      bush.diam1.map((d, i) => Math.log(d / bush.diam2[i]!)),
      logs(bush.total_height),
      logs(bush.density),
      bush.group,
    ),
    logs(bush.weight),
  ),
  "nes1980-nes": survey,
  "nes2000-nes": survey,
  "sblrc-blr": bayesian,
  "sblri-blr": bayesian,
  "kilpisjarvi_mod-kilpisjarvi": {
    data: line,
    parameters: ["alpha", "beta", "sigma"],
    dim: 3,
    logDensity: ([alpha, beta, logSigma]) =>
      normalLog(alpha!, line.pmualpha, line.psalpha) +
      normalLog(beta!, line.pmubeta, line.psbeta) +
      logSigma! +
      sum(line.y.map((y, i) => normalLog(y, alpha! + beta! * line.x[i]!, Math.exp(logSigma!)))),
  },
  "diamonds-diamonds": {
    data: stones,
    parameters: [...numbered("b", 3), "Intercept", "sigma"],
    dim: 5,
    logDensity: (u) => {
      const [b, intercept, sigma] = [u.slice(0, 3), u[3]!, Math.exp(u[4]!)];
      const means = [1, 2, 3].map((j) => mean(stones.X.map((row) => row[j]!)));
      const centred = stones.X.map((row) => means.map((m, j) => row[j + 1]! - m));
      return (
        sum(b.map((x) => normalLog(x, 0, 1))) +
        studentLog(intercept, 3, 8, 10) +
        studentLog(sigma, 3, 0, 10) +
        u[4]! +
        sum(centred.map((row, i) => normalLog(stones.Y[i]!, intercept + dot(row, b), sigma)))
      );
    },
  },
  "eight_schools-eight_schools_centered": {
    data: schools,
    parameters: [...numbered("theta", 8), "mu", "tau"],
    dim: 10,
    logDensity: ([mu, logTau, ...theta]) =>
      eightSchools(mu!, logTau!, theta) + sum(theta.map((t) => normalLog(t, mu!, Math.exp(logTau!)))),
  },
  "eight_schools-eight_schools_noncentered": {
    data: schools,
    parameters: [...numbered("theta", 8), "mu", "tau"],
    dim: 10,
    logDensity: ([mu, logTau, ...t]) =>
      eightSchools(mu!, logTau!, t.map((x) => mu! + Math.exp(logTau!) * x)) + sum(t.map((x) => normalLog(x, 0, 1))), // biome-ignore format: one line
  },
  "arK-arK": {
    data: ar,
    parameters: ["alpha", ...numbered("beta", 2), "sigma"],
    dim: 4,
    logDensity: ([alpha, b1, b2, logSigma]) =>
      sum([alpha!, b1!, b2!].map((x) => normalLog(x, 0, 10))) +
      halfCauchyLog(Math.exp(logSigma!), 2.5) +
      logSigma! +
      sum(
        ar.y.map((y, t) =>
          t < 2 ? 0 : normalLog(y, alpha! + b1! * ar.y[t - 1]! + b2! * ar.y[t - 2]!, Math.exp(logSigma!)),
        ),
      ),
  },
  "arma-arma11": {
    data: short,
    parameters: ["mu", "phi", "theta", "sigma"],
    dim: 4,
    logDensity: ([mu, phi, theta, logSigma]) => {
      let error = 0;
      let total = normalLog(mu!, 0, 10) + normalLog(phi!, 0, 2) + normalLog(theta!, 0, 2);
      for (const [t, y] of short.y.entries()) {
        const expected = t ? mu! + phi! * short.y[t - 1]! + theta! * error : mu! + phi! * mu!;
        error = y - expected;
        total += normalLog(error, 0, Math.exp(logSigma!));
      }
      return total + halfCauchyLog(Math.exp(logSigma!), 2.5) + logSigma!;
    },
  },
  "garch-garch11": {
    data: garch,
    parameters: ["mu", "alpha0", "alpha1", "beta1"],
    dim: 4,
    logDensity: ([mu, logAlpha0, u1, u2]) => {
      const [a1, share] = [sigmoid(u1!), sigmoid(u2!)];
      let variance = garch.sigma1 ** 2;
      // d(alpha1, beta1) / du, beta1 = (1 − alpha1) share
      let total = logAlpha0! + Math.log(a1 * (1 - a1)) + Math.log((1 - a1) * share * (1 - share));
      for (const [t, y] of garch.y.entries()) {
        if (t) variance = Math.exp(logAlpha0!) + a1 * (garch.y[t - 1]! - mu!) ** 2 + (1 - a1) * share * variance;
        total += normalLog(y, mu!, Math.sqrt(variance));
      }
      return total;
    },
  },
  "hudson_lynx_hare-lotka_volterra": {
    data: pelts,
    parameters: [...numbered("theta", 4), ...numbered("z_init", 2), ...numbered("sigma", 2)],
    dim: 8,
    tolerance: 2e-4,
    logDensity: (u) => {
      const [theta, start, sigma] = [u.slice(0, 4), u.slice(4, 6), u.slice(6, 8)].map((x) => x.map(Math.exp));
      const means = [1, 0.05, 1, 0.05];
      const sds = [0.5, 0.05, 0.5, 0.05];
      const error = (y: readonly number[], at: readonly number[]): number =>
        sum(y.map((v, k) => logNormalLog(v, Math.log(at[k]!), sigma![k]!)));
      return (
        sum(u) +
        sum(theta!.map((x, k) => normalLog(x, means[k]!, sds[k]!))) +
        sum(start!.map((x) => logNormalLog(x, Math.log(10), 1))) +
        sum(sigma!.map((x) => logNormalLog(x, -1, 1))) +
        error(pelts.y_init, start!) +
        sum(populations(theta!, start!).map((at, n) => error(pelts.y[n]!, at)))
      );
    },
  },
  "gp_pois_regr-gp_regr": {
    data: process,
    parameters: ["rho", "alpha", "sigma"],
    dim: 3,
    logDensity: (u) => {
      const [rho, alpha, sigma] = u.map(Math.exp) as [number, number, number];
      const l = choleskyOf(kernel(rho, alpha, sigma));
      const white: number[] = [];
      for (const [i, y] of process.y.entries()) white.push((y - dot(white, l[i]!.slice(0, i))) / l[i]![i]!);
      const fit = sum(white.map((w, i) => normalLog(w, 0, 1) - Math.log(l[i]![i]!)));
      return fit + gammaLog(rho, 25, 4) + normalLog(alpha, 0, 2) + normalLog(sigma, 0, 1) + sum(u);
    },
  },
  "gp_pois_regr-gp_pois_regr": {
    data: process,
    parameters: ["rho", "alpha", ...numbered("f", 5)],
    dim: 7,
    tolerance: 1e-6,
    logDensity: ([logRho, logAlpha, ...white]) => {
      const [rho, alpha] = [Math.exp(logRho!), Math.exp(logAlpha!)];
      const f = choleskyOf(kernel(rho, alpha, 1e-10)).map((row) => dot(row, white));
      return (
        gammaLog(rho, 25, 4) +
        normalLog(alpha, 0, 2) +
        logRho! +
        logAlpha! +
        sum(white.map((w) => normalLog(w, 0, 1))) +
        sum(process.k.map((k, n) => poissonLog(k, Math.exp(f[n]!))))
      );
    },
  },
  "low_dim_gauss_mix-low_dim_gauss_mix": {
    data: { N, y: short.y },
    parameters: [...numbered("mu", 2), ...numbered("sigma", 2), "theta"],
    dim: 5,
    logDensity: (u) => {
      const [mu, sigma] = [
        [u[0]!, u[0]! + Math.exp(u[1]!)],
        [Math.exp(u[2]!), Math.exp(u[3]!)],
      ];
      const theta = sigmoid(u[4]!);
      const of = (y: number, k: number): number => normalLog(y, mu[k]!, sigma[k]!);
      return (
        sum(mu.map((m) => normalLog(m, 0, 2))) +
        sum(sigma.map((s) => normalLog(s, 0, 2))) +
        u[1]! +
        u[2]! +
        u[3]! +
        5 * (Math.log(theta) + Math.log(1 - theta)) +
        sum(short.y.map((y) => logSumExp([Math.log(theta) + of(y, 0), Math.log(1 - theta) + of(y, 1)])))
      );
    },
  },
  "hmm_example-hmm_example": {
    data: hidden,
    parameters: [...numbered("theta1", 2), ...numbered("theta2", 2), ...numbered("mu", 2)],
    dim: 4,
    logDensity: ([u1, u2, logFirst, logGap]) => {
      const rows = [pair(u1!), pair(u2!)];
      const mu = [Math.exp(logFirst!), Math.exp(logFirst!) + Math.exp(logGap!)];
      const emission = hidden.y.map((y) => mu.map((m) => normalLog(y, m, 1)));
      return (
        sum(rows.map((r) => r.logJacobian)) +
        normalLog(mu[0]!, 3, 1) +
        normalLog(mu[1]!, 10, 1) +
        logFirst! +
        logGap! +
        overPaths(rows.map((r) => r.p), emission)
      ); // biome-ignore format: one line each
    },
  },
  "bball_drive_event_1-hmm_drive_1": {
    data: drives,
    parameters: [
      ...numbered("theta1", 2), ...numbered("theta2", 2), ...numbered("phi", 2), ...numbered("lambda", 2),
    ], // biome-ignore format: a list
    dim: 6,
    logDensity: ([u1, u2, ...means]) => {
      const rows = [pair(u1!), pair(u2!)];
      const [phi, lambda] = [0, 2].map((i) => [means[i]!, means[i]! + Math.exp(means[i + 1]!)]) as [number[], number[]];
      const emission = drives.u.map((u, t) =>
        phi.map((m, k) => normalLog(u, m, drives.tau) + normalLog(drives.v[t]!, lambda[k]!, drives.rho)),
      );
      const ordered = (m: number[]): number => normalLog(m[0]!, 0, 1) + normalLog(m[1]!, 3, 1);
      const concentrated = sum(rows.map(({ p }, k) => sum(p.map((x, j) => (drives.alpha[k]![j]! - 1) * Math.log(x)))));
      return (
        sum(rows.map((r) => r.logJacobian)) +
        concentrated +
        ordered(phi) +
        ordered(lambda) +
        means[1]! +
        means[3]! +
        overPaths(rows.map((r) => r.p), emission)
      ); // biome-ignore format: one line each
    },
  },
};
