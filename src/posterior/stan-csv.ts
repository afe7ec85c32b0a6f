import { sizeOf, stridesOf } from "../base/shape.ts";
import { type Draws, elementIndices } from "./draws.ts";
import { portableNames } from "./portable-names.ts";
import { presentStats, type SamplerStats, statNames } from "./sampler-stats.ts";
import type { FileTree } from "./zarr.ts";

export interface StanCsvOptions {
  /** First part of the files' names, `NAME_1.csv` for the first chain, and the model's name in them. Default "ansatz". */
  readonly model?: string;
  readonly seed?: number;
  /** Transitions that were not kept, for the header. Default 1000. */
  readonly warmUp?: number;
  /** Diagonal of the inverse mass matrix of each chain, in unconstrained coordinates. */
  readonly inverseMetric?: readonly ArrayLike<number>[];
}

/**
 * CmdStan's CSV files, one a chain: header of comments, `lp__` and what the sampler says of each draw, then elements as
 * `theta.1`, `a.1.2`, column-major, from 1. Numbers have the digits that give back the same float64.
 *
 * @throws OptionError when two sites would have the same name: characters other than letters, digits and _ become _
 */
export function stanCsv(draws: Draws, stats: SamplerStats = {}, options: StanCsvOptions = {}): FileTree {
  const { model = "ansatz" } = options;
  const names = portableNames(Object.keys(draws.sites), /[^A-Za-z0-9_]/gu, "Stan CSV");
  const present = presentStats(stats);
  // Readers insist on lp__; where no density was kept CmdStan, too, writes 0.
  const given = present.map(([name]) => statNames[name].stan);
  const columns = given.includes("lp__") ? given : ["lp__", ...given];
  const elements = Object.entries(draws.sites).flatMap(([name, { shape, values }]) => {
    const size = sizeOf(shape);
    return columnMajor(shape).map(({ suffix, element }) => ({
      column: names.get(name) + suffix,
      values,
      size,
      element,
    }));
  });
  const heading = [...columns, ...elements.map(({ column }) => column)].join(",");

  const files: FileTree = {};
  for (let chain = 0; chain < draws.chains; chain++) {
    const lines = [...header(draws, chain, options), heading, ...adaptation(stats, draws, chain, options)];
    for (let draw = chain * draws.draws; draw < (chain + 1) * draws.draws; draw++) {
      const cells = present.map(([, values]) => numeral(values[draw]!));
      if (columns.length > given.length) cells.unshift("0");
      for (const { values, size, element } of elements) cells.push(numeral(values[draw * size + element]!));
      lines.push(cells.join(","));
    }
    lines.push("# ", "#  Elapsed Time: 0 seconds (Warm-up)", "#                0 seconds (Sampling)");
    lines.push("#                0 seconds (Total)", "# ");
    files[`${model}_${chain + 1}.csv`] = new TextEncoder().encode(lines.join("\n") + "\n");
  }
  return files;
}

/** Row-major places of the elements in column-major order, as Stan writes them. */
function columnMajor(shape: readonly number[]): { suffix: string; element: number }[] {
  const strides = stridesOf(shape);
  return elementIndices([...shape].reverse()).map((reversed) => {
    const index = reversed.reverse();
    return {
      suffix: index.map((i) => `.${i}`).join(""),
      element: index.reduce((sum, i, axis) => sum + (i - 1) * strides[axis]!, 0),
    };
  });
}

const numeral = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";

/** What CmdStan would say of such a run; readers look for these lines. */
const header = (
  draws: Draws,
  chain: number,
  { model = "ansatz", seed = 0, warmUp = 1000 }: StanCsvOptions,
): string[] => [
  "# stan_version_major = 2",
  "# stan_version_minor = 36",
  "# stan_version_patch = 0",
  `# model = ${model}`,
  "# method = sample (Default)",
  "#   sample",
  `#     num_samples = ${draws.draws}`,
  `#     num_warmup = ${warmUp}`,
  "#     save_warmup = false (Default)",
  "#     thin = 1 (Default)",
  "#     adapt",
  "#       engaged = true (Default)",
  "#     algorithm = hmc (Default)",
  "#       hmc",
  "#         engine = nuts (Default)",
  "#           nuts",
  "#             max_depth = 10 (Default)",
  "#         metric = diag_e (Default)",
  "#     num_chains = 1 (Default)",
  `# id = ${chain + 1}`,
  "# data",
  "#   file = ",
  "# random",
  `#   seed = ${seed}`,
  "# output",
  `#   file = ${model}_${chain + 1}.csv`,
];

function adaptation(stats: SamplerStats, draws: Draws, chain: number, { inverseMetric }: StanCsvOptions): string[] {
  const stepSize = stats.stepSize?.[(chain + 1) * draws.draws - 1];
  if (stepSize === undefined) return [];
  const size = Object.values(draws.sites).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const diagonal = Array.from(inverseMetric?.[chain] ?? new Float64Array(size).fill(1), numeral);
  return [
    "# Adaptation terminated",
    `# Step size = ${numeral(stepSize)}`,
    "# Diagonal elements of inverse mass matrix:",
    `# ${diagonal.join(", ")}`,
  ];
}
