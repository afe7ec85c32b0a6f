import { chart, coordinate, type Frame, legend, linearScale, xAxis, yAxis } from "./chart.ts";
import { formatCount, formatFixed, formatSignificant } from "./format.ts";
import type { Point } from "./line-chart.ts";
import { figure, table } from "./markup.ts";
import { figures } from "./page.ts";
import { densityOf } from "./posterior-density.ts";
import type { SamplerRecord } from "./posterior-input.ts";
import { niceTicks, padRange } from "./ticks.ts";

const width = 520;
/** E-BFMI below which the energy mixes too slowly to be trusted. */
const slowEnergy = 0.2;

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** What the sampler did, a row for each chain. */
function chainTable(record: SamplerRecord, chains: number, draws: number): string {
  const of = (values: ArrayLike<number>, chain: number) =>
    Array.from({ length: draws }, (_, i) => values[chain * draws + i]!);
  const rows = Array.from({ length: chains }, (_, c) => {
    const divergent = of(record.divergent, c).filter((d) => d).length;
    const depths = of(record.depth, c);
    return [
      String(c + 1),
      formatSignificant(of(record.stepSize, c).at(-1) ?? Number.NaN, 3),
      formatFixed(meanOf(of(record.acceptance, c)), 3),
      formatSignificant(meanOf(of(record.leapfrogs, c)), 3),
      formatFixed(meanOf(depths), 1),
      String(depths.reduce((a, b) => Math.max(a, b), 0)),
      formatCount(divergent),
      formatFixed(record.ebfmi[c] ?? Number.NaN, 2),
    ];
  });
  const columns = [
    "chain",
    "step size",
    "acceptance",
    "gradients a draw",
    "mean depth",
    "greatest depth",
    "divergent",
    "E-BFMI",
  ];
  const isDoubtful = (c: number) => of(record.divergent, c).some((d) => d) || record.ebfmi[c]! < slowEnergy;
  return table(columns, rows, rows.map((_, c) => (isDoubtful(c) ? "doubtful" : ""))); // biome-ignore format: short
}

/** Energies beside their changes from draw to draw: of like width where momenta reach all energies (Betancourt 2016). */
function energyFigure(record: SamplerRecord, chains: number, draws: number): string {
  const energies = Array.from(record.energy);
  const centre = meanOf(energies);
  const marginal = densityOf(energies.map((e) => e - centre));
  const changes = energies.flatMap((e, i) => (i % draws === 0 ? [] : [e - energies[i - 1]!]));
  const change = densityOf(changes);
  if (!marginal || !change || marginal.isDiscrete || change.isDiscrete) return "";
  const all = [...marginal.points, ...change.points];
  const range = padRange({ low: Math.min(...all.map((p) => p.x)), high: Math.max(...all.map((p) => p.x)) }, 0.02);
  const frame: Frame = { left: 14, top: 12, width: width - 28, height: 170 };
  const x = linearScale(range, frame.left, frame.left + frame.width);
  const y = linearScale({ low: 0, high: 1.05 * Math.max(...all.map((p) => p.y)) }, frame.top + frame.height, frame.top);
  const path = (points: readonly Point[]) =>
    points.map((p, i) => `${i === 0 ? "M" : "L"}${coordinate(x(p.x))} ${coordinate(y(p.y))}`).join("");
  const least = Math.min(...record.ebfmi);
  const about = {
    id: "energy",
    title: "Energy",
    description: `Densities of the energy and of its changes from draw to draw, over ${chains} chains. Least E-BFMI ${formatFixed(least, 2)}.`,
  };
  const svg = chart(
    about,
    width,
    frame.top + frame.height + 50,
    `<g class="test"><path class="line" d="${path(marginal.points)}"/></g>` +
      `<g class="train"><path class="line" d="${path(change.points)}"/></g>` +
      xAxis(frame, niceTicks(range, 7), x, "energy less its mean"),
  );
  const key = legend([
    { label: "energy", swatch: `<g class="test"><path class="line" d="M0 6h26"/></g>` },
    { label: "its change from draw to draw", swatch: `<g class="train"><path class="line" d="M0 6h26"/></g>` },
  ]);
  return figure("Energy", key + svg, [
    "Where the changes are much narrower than the energies (E-BFMI below 0.3), the chains move through the energies slowly and may miss tails.",
  ]);
}

/** How deep the trees were. */
function depthFigure(record: SamplerRecord): string {
  const depths = Array.from(record.depth);
  const deepest = depths.reduce((a, b) => Math.max(a, b), 0);
  if (deepest === 0) return "";
  const counts = Array.from({ length: deepest + 1 }, (_, d) => depths.filter((x) => x === d).length);
  const from = counts.findIndex((n) => n > 0);
  const range = { low: from - 0.6, high: deepest + 0.6 };
  const yRange = { low: 0, high: 1.05 * Math.max(...counts) };
  const frame: Frame = { left: 66, top: 30, width: width - 80, height: 152 };
  const x = linearScale(range, frame.left, frame.left + frame.width);
  const y = linearScale(yRange, frame.top + frame.height, frame.top);
  const bar = Math.min(40, 0.7 * (x(1) - x(0)));
  const bars = counts.flatMap((n, d) =>
    n === 0
      ? []
      : `<rect class="bar" x="${coordinate(x(d) - bar / 2)}" y="${coordinate(y(n))}" width="${coordinate(bar)}" height="${coordinate(frame.top + frame.height - y(n))}"><title>depth ${d}: ${n} draws</title></rect>`,
  );
  const about = {
    id: "depth",
    title: "Tree depth",
    description: `Number of draws by the depth of their tree, from ${from} to ${deepest}.`,
  };
  const body =
    yAxis(frame, niceTicks(yRange, 4, true), y, "draws") +
    bars.join("") +
    xAxis(frame, niceTicks(range, 10, true), x, "depth of the tree");
  return figure("Tree depth", chart(about, width, frame.top + frame.height + 50, body), [
    "A tree of depth d costs up to 2^d − 1 gradients.",
  ]);
}

/** The sampler's own statistics. */
export function samplerFigures(record: SamplerRecord, chains: number, draws: number): string {
  return chainTable(record, chains, draws) + figures([energyFigure(record, chains, draws), depthFigure(record)]);
}
