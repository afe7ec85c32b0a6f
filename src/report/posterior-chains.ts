import { chart, coordinate, type Frame, labelWidth, legend, linearScale, xAxis, yAxis } from "./chart.ts";
import { escapeHtml, formatSignificant } from "./format.ts";
import type { Element } from "./posterior-elements.ts";
import { extent, niceTicks, padRange } from "./ticks.ts";

const traceWidth = 520;
const rankWidth = 260;
const height = 118;
const columnsOfTrace = 240;
const bins = 20;

/** Values of a chain as a line; of many the smallest and the largest in each column. */
function traceLine(values: Float64Array, x: (i: number) => number, y: (v: number) => number): string {
  const columns = Math.min(columnsOfTrace, values.length);
  let d = "";
  const put = (i: number) => {
    if (Number.isFinite(values[i])) d += `${d === "" ? "M" : "L"}${coordinate(x(i))} ${coordinate(y(values[i]!))}`;
  };
  for (let c = 0; c < columns; c++) {
    const [from, to] = [Math.floor((c * values.length) / columns), Math.floor(((c + 1) * values.length) / columns)];
    let [low, high] = [from, from];
    for (let i = from; i < to; i++) {
      if (values[i]! < values[low]!) low = i;
      if (values[i]! > values[high]!) high = i;
    }
    put(Math.min(low, high));
    if (low !== high) put(Math.max(low, high));
  }
  return d;
}

function trace(element: Element, id: string, divergent: ArrayLike<number>): string {
  const { chains, row } = element;
  const draws = chains[0]!.length;
  const range = padRange(extent(chains.flatMap((c) => [...c])) ?? { low: 0, high: 1 }, 0.04);
  const yTicks = niceTicks(range, 3);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 8, width: traceWidth - left - 14, height: height - 38 };
  const y = linearScale(range, frame.top + frame.height, frame.top);
  const x = linearScale({ low: 0, high: Math.max(1, draws - 1) }, frame.left, frame.left + frame.width);
  const lines = chains.map((values, i) => `<path class="chain chain${i % 4}" d="${traceLine(values, x, y)}"/>`);
  const marks = Array.from({ length: draws }, (_, i) => i).filter((i) =>
    chains.some((_, c) => divergent[c * draws + i]),
  );
  const ticks = marks.map((i) => `M${coordinate(x(i))} ${frame.top + frame.height}v-6`).join("");
  const about = {
    id,
    title: `Trace of ${row.name}`,
    description: `Draws of ${row.name} in the order in which ${chains.length} chains made them. R-hat ${formatSignificant(row.rhat, 4)}.`,
  };
  const body =
    yAxis(frame, yTicks, y, "") +
    xAxis(
      frame,
      niceTicks({ low: 0, high: draws }, 5, true).filter((t) => t.value < draws),
      x,
      "",
    ) +
    lines.join("") +
    (ticks ? `<path class="divergent-tick" d="${ticks}"/>` : "");
  return chart(about, traceWidth, height, body);
}

/** Ranks of each chain's draws among all draws, average ranks for ties. [chains][draws], from 0 to 1. */
export function ranksOf(chains: readonly Float64Array[]): Float64Array[] {
  const draws = chains[0]?.length ?? 0;
  const total = chains.length * draws;
  const values = Float64Array.from({ length: total }, (_, i) => chains[Math.floor(i / draws)]![i % draws]!);
  const order = Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const ranks = chains.map(() => new Float64Array(draws));
  for (let from = 0; from < total; ) {
    let to = from + 1;
    while (to < total && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) {
      const at = order[i]!;
      ranks[Math.floor(at / draws)]![at % draws] = (from + to) / 2 / total;
    }
    from = to;
  }
  return ranks;
}

/**
 * Histograms of the ranks, a line a chain (Vehtari et al. 2021, section 4.2), with the band in which 95 % of the bins would lie of
 * draws that are independent.
 */
function rankPlot(element: Element, id: string): string {
  const { chains, row } = element;
  const draws = chains[0]!.length;
  const counts = ranksOf(chains).map((ranks) => {
    const found = new Float64Array(bins);
    for (const rank of ranks) found[Math.min(bins - 1, Math.floor(rank * bins))]!++;
    return found;
  });
  const expected = draws / bins;
  // Each chain's count in a bin is hypergeometric: draws taken of all chains' draws.
  const share = 1 - 1 / Math.max(2, chains.length);
  const spread = 1.96 * Math.sqrt(expected * (1 - 1 / bins) * share);
  const off = 1.1 * Math.max(2 * spread, ...counts.flatMap((c) => [...c].map((n) => Math.abs(n - expected))));
  const frame: Frame = { left: 10, top: 8, width: rankWidth - 20, height: height - 38 };
  const bottom = frame.top + frame.height;
  const y = linearScale({ low: Math.max(0, expected - off), high: expected + off }, bottom, frame.top);
  const slot = frame.width / bins;
  const steps = counts.map((c, i) => {
    const d = [...c]
      .map((n, b) => `${b === 0 ? `M${frame.left} ` : "V"}${coordinate(y(n))}h${coordinate(slot)}`)
      .join("");
    return `<path class="chain chain${i % 4}" d="${d}"/>`;
  });
  const x = linearScale({ low: 0, high: chains.length * draws }, frame.left, frame.left + frame.width);
  const band = `<rect class="band-expected" x="${frame.left}" y="${coordinate(y(expected + spread))}" width="${frame.width}" height="${coordinate(y(Math.max(0, expected - spread)) - y(expected + spread))}"/>`;
  const about = {
    id,
    title: `Ranks of ${row.name}`,
    description: `Histogram of the ranks of each chain's draws of ${row.name} among all draws: even where the chains agree.`,
  };
  const body = band + steps.join("") + xAxis(frame, niceTicks({ low: 0, high: chains.length * draws }, 3, true), x, "");
  return chart(about, rankWidth, height, body, "chart small");
}

/** Traces and rank plots side by side. `total`: of how many elements these are the ones that mix worst. */
export function chainFigures(shown: readonly Element[], total: number, divergent: ArrayLike<number>): string {
  const chains = shown[0]?.chains.length ?? 0;
  if (chains === 0) return "";
  const cut = shown.length < total ? ` The ${shown.length} with the largest R-hat of ${total} are shown.` : "";
  const marks = Array.from(divergent).some((d) => d) ? " Ticks at the foot mark divergent transitions." : "";
  const key =
    chains > 1
      ? legend(
          Array.from({ length: Math.min(chains, 4) }, (_, i) => ({
            label: `chain ${i + 1}${chains > 4 ? `, ${i + 5} …` : ""}`,
            swatch: `<path class="chain chain${i}" d="M0 6h26"/>`,
          })),
        )
      : "";
  const rows = shown.map(
    (e, i) =>
      `<div class="trace"><p class="name">${escapeHtml(e.row.name)}</p>` +
      `${trace(e, `trace-${i}`, divergent)}${chains > 1 ? rankPlot(e, `ranks-${i}`) : ""}</div>`,
  );
  const ranks =
    chains > 1
      ? " Steps: how the draws of each chain rank among all; where the chains agree the steps stay near the band, in which 95 % of independent ones would lie."
      : "";
  return `<p class="remark">Curves: the draws in their order.${ranks}${marks}${cut}</p>${key}${rows.join("")}`;
}
