// One small posterior as six methods see it: writes docs/kl.svg and prints the table of docs/kl.md. Run: npx tsx bench/kl-picture.ts
import { writeFileSync } from "node:fs";
import { bernoulli, infer, model, normal, type Tensor } from "ansatz";

const data = { x: [-1.5, -0.6, 0.2, 0.9, 1.4, 2.1, 2.6], y: [0, 0, 0, 1, 1, 1, 1] };
const regression = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
  const level = sample("level", normal(0, 3));
  const slope = sample("slope", normal(0, 3));
  observe("y", bernoulli({ logits: x.mul(slope).add(level) }), y);
  return { level, slope };
});

type Point = readonly [number, number];
const logJoint = ([a, b]: Point): number =>
  data.x.reduce(
    (sum, x, i) => sum - Math.log1p(Math.exp((1 - 2 * data.y[i]!) * (a + b * x))),
    -(a * a + b * b) / 18 - Math.log(18 * Math.PI),
  );

// The exact posterior on a grid, wide enough for all its mass.
const [A, B] = [[-11, 7], [-4, 13]] as const; // biome-ignore format: two ranges
const N = 360;
const step: Point = [(A[1] - A[0]) / N, (B[1] - B[0]) / N];
const at = (i: number, j: number): Point => [A[0] + (i + 0.5) * step[0], B[0] + (j + 0.5) * step[1]];
const logs = Array.from({ length: N * N }, (_, e) => logJoint(at(e % N, Math.floor(e / N))));
const cell = step[0] * step[1];
const logZ = Math.log(logs.reduce((sum, l) => sum + Math.exp(l), 0) * cell);
const p = logs.map((l) => Math.exp(l - logZ));

function momentsOf(weight: (e: number) => number) {
  let [a, b, aa, ab, bb] = [0, 0, 0, 0, 0];
  for (let e = 0; e < N * N; e++) {
    const [x, y] = at(e % N, Math.floor(e / N));
    const w = weight(e) * cell;
    a += w * x;
    b += w * y;
    aa += w * x * x;
    ab += w * x * y;
    bb += w * y * y;
  }
  return { mean: [a, b] as Point, covariance: [aa - a * a, ab - a * b, ab - a * b, bb - b * b] };
}

/** Levels of the density that hold so much of its mass. */
function levelsOf(masses: readonly number[]): number[] {
  const sorted = [...p].sort((x, y) => y - x);
  return masses.map((mass) => {
    let [sum, i] = [0, 0];
    while (sum < mass) sum += sorted[i++]! * cell;
    return sorted[i]!;
  });
}

const MASSES = [0.393, 0.865] as const; // one and two sd of a Gaussian in the plane
const SIZE = 210;
// What is shown of it.
const SHOWN = [[-6.5, 3.5], [-1.5, 8.5]] as const; // biome-ignore format: two ranges
const px = ([a, b]: Point): string => {
  const [[a0, a1], [b0, b1]] = SHOWN;
  return `${(((a - a0) / (a1 - a0)) * SIZE).toFixed(1)} ${(SIZE - ((b - b0) / (b1 - b0)) * SIZE).toFixed(1)}`;
};

/** A contour as short lines, a cell at a time (marching squares). */
function contour(level: number): string {
  const parts: string[] = [];
  const COARSE = 4;
  const value = (i: number, j: number) => p[j * N + i]!;
  for (let j = 0; j + COARSE < N; j += COARSE) {
    for (let i = 0; i + COARSE < N; i += COARSE) {
      const corners = [[i, j], [i + COARSE, j], [i + COARSE, j + COARSE], [i, j + COARSE]] as const; // biome-ignore format: around the cell
      const crossings: Point[] = [];
      for (const [k, [i0, j0]] of corners.entries()) {
        const [i1, j1] = corners[(k + 1) % 4]!;
        const [v0, v1] = [value(i0, j0), value(i1, j1)];
        if (v0 > level === v1 > level) continue;
        const t = (level - v0) / (v1 - v0);
        const [q0, q1] = [at(i0, j0), at(i1, j1)];
        crossings.push([q0[0] + t * (q1[0] - q0[0]), q0[1] + t * (q1[1] - q0[1])]);
      }
      if (crossings.length === 2) parts.push(`M${px(crossings[0]!)}L${px(crossings[1]!)}`);
    }
  }
  return parts.join("");
}

function ellipse(mean: Point, c: readonly number[], radius: number): string {
  const l = [Math.sqrt(c[0]!), c[1]! / Math.sqrt(c[0]!), Math.sqrt(c[3]! - c[1]! ** 2 / c[0]!)] as const;
  const points = Array.from({ length: 73 }, (_, i) => {
    const [u, v] = [radius * Math.cos((i * Math.PI) / 36), radius * Math.sin((i * Math.PI) / 36)];
    return px([mean[0] + l[0] * u, mean[1] + l[1] * u + l[2] * v]);
  });
  return `M${points.join("L")}`;
}

const exact = momentsOf((e) => p[e]!);
const row = (name: string, mean: Point, c: readonly number[], rest: readonly string[]) =>
  `| ${[name, mean[0].toFixed(2), mean[1].toFixed(2), Math.sqrt(c[0]!).toFixed(2), Math.sqrt(c[3]!).toFixed(2), (c[1]! / Math.sqrt(c[0]! * c[3]!)).toFixed(2), ...rest].join(" | ")} |`;
const table = [row("exact", exact.mean, exact.covariance, ["0", "0", ""])];

const exactPath = levelsOf(MASSES).map(contour).join("");
const panels: string[] = [];
const GAP = [58, 84] as const; // beside and below a panel, for its axes and its numbers
const COLUMNS = 3;
/** Ticks with their numbers, and the names of the axes. */
function axes(): string {
  const parts: string[] = [];
  const [[a0], [b0]] = SHOWN;
  for (const a of [-6, -4, -2, 0, 2]) parts.push(`<text x="${px([a, b0]).split(" ")[0]}" y="${SIZE + 14}" class="tick" text-anchor="middle">${a}</text>`); // biome-ignore format: one line
  for (const b of [0, 2, 4, 6, 8]) parts.push(`<text x="-5" y="${Number(px([a0, b]).split(" ")[1]) + 4}" class="tick" text-anchor="end">${b}</text>`); // biome-ignore format: one line
  return `${parts.join("")}<text x="${SIZE / 2}" y="${SIZE + 28}" class="tick" text-anchor="middle">level</text><text transform="translate(-24 ${SIZE / 2}) rotate(-90)" class="tick" text-anchor="middle">slope</text>`; // biome-ignore format: one line
}
const methods = [
  ["CAVI (product, Jaakkola–Jordan)", "cavi"],
  ["mean-field (ADVI)", "advi"],
  ["full-rank Gaussian (ADVI)", "fullrank"],
  ["Laplace", "laplace"],
  ["EP", "ep"],
  ["NUTS", "nuts"],
] as const;
for (const [title, method] of methods) {
  const posterior = await infer(regression, data, {
    method,
    seed: 1,
    draws: method === "nuts" ? 4000 : undefined,
    ...(method === "cavi" ? { cavi: { logistic: "jaakkola-jordan" } } : {}),
  });
  let numbers = "exact up to Monte Carlo error";
  const q = posterior.approximation;
  let drawn = "";
  if (q) {
    const mean: Point = [q.mean[0]!, q.mean[1]!];
    const c = q.covariance ? [...q.covariance] : [q.sd[0]! ** 2, 0, 0, q.sd[1]! ** 2];
    const points = new Float64Array(2 * N * N);
    for (let e = 0; e < N * N; e++) points.set(at(e % N, Math.floor(e / N)), 2 * e);
    const logQ = q.logDensityOf(points);
    let [exclusive, inclusive] = [0, 0];
    for (let e = 0; e < N * N; e++) {
      const ratio = logQ[e]! - (logs[e]! - logZ);
      exclusive += Math.exp(logQ[e]!) * ratio * cell;
      inclusive -= p[e]! * ratio * cell;
    }
    numbers = `KL(q‖p) ${exclusive.toFixed(2)}   KL(p‖q) ${inclusive.toFixed(2)}   k-hat ${posterior.khat!.toFixed(2)}`;
    table.push(row(title, mean, c, [exclusive.toFixed(3), inclusive.toFixed(3), posterior.khat!.toFixed(2)]));
    drawn = [1, 2].map((r) => `<path d="${ellipse(mean, c, r)}" class="q"/>`).join("");
  } else {
    const u = posterior.unconstrained;
    const n = u.length / 2;
    const mean: Point = [0, 1].map((j) => u.reduce((s, v, i) => s + (i % 2 === j ? v / n : 0), 0)) as unknown as Point;
    const c = [0, 0, 0, 0];
    for (let s = 0; s < n; s++) {
      for (const i of [0, 1]) {
        for (const j of [0, 1]) c[2 * i + j]! += ((u[2 * s + i]! - mean[i]!) * (u[2 * s + j]! - mean[j]!)) / n;
      }
    }
    table.push(row(title, mean, c, ["", "", "(R-hat)"]));
    for (let s = 0; s < n; s += Math.ceil(n / 250)) {
      const [x, y] = px([u[2 * s]!, u[2 * s + 1]!]).split(" ");
      drawn += `<circle cx="${x}" cy="${y}" r="1.3" class="draw"/>`;
    }
  }
  const [left, top] = [(panels.length % COLUMNS) * (SIZE + GAP[0]) + 46, Math.floor(panels.length / COLUMNS) * (SIZE + GAP[1]) + 58]; // biome-ignore format: one line
  panels.push(
    `<g transform="translate(${left} ${top})"><text y="-10">${title}</text><clipPath id="c${panels.length}"><rect width="${SIZE}" height="${SIZE}"/></clipPath>` +
      `<rect width="${SIZE}" height="${SIZE}" class="frame"/><g clip-path="url(#c${panels.length})"><path d="${exactPath}" class="p"/>${drawn}</g>` +
      `${axes()}<text y="${SIZE + 43}" class="tick">${numbers}</text></g>`,
  );
}

const width = COLUMNS * (SIZE + GAP[0]);
const height = Math.ceil(panels.length / COLUMNS) * (SIZE + GAP[1]) + 34;
const style =
  "text{font:13px sans-serif;fill:#222;white-space:pre}.tick{font-size:11px;fill:#444}.frame{fill:#fff;stroke:#bbb}.p{fill:none;stroke:#888;stroke-width:1.4}" +
  ".q{fill:#0b6fb8;fill-opacity:.12;stroke:#0b6fb8;stroke-width:1.6}.draw{fill:#0b6fb8;fill-opacity:.55}";
const legend = `<path d="M46 18h24" class="p"/><text x="76" y="22">the posterior: 39 % and 86 % of its mass</text><path d="M400 18h24" class="q"/><text x="430" y="22">q: one and two sd, or draws</text>`;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="One posterior by six methods"><style>${style}</style><rect width="${width}" height="${height}" fill="#fff"/>${legend}${panels.join("")}</svg>\n`;
writeFileSync(new URL("../docs/kl.svg", import.meta.url), svg);
console.log(
  [
    `log Z of the grid: ${logZ.toFixed(4)}`,
    "| | mean level | mean slope | sd level | sd slope | correlation | KL(q‖p) | KL(p‖q) | k-hat |",
    "|---|---|---|---|---|---|---|---|---|",
    ...table,
  ].join("\n"),
);
