// Cost of a sweep against the number of rows: a Gaussian mixture of 10 columns, K = 20, from 1e3 to 1e6 rows, each size in a process of
// its own. Run: npx tsx bench/cavi/size.ts [--rows 1000,10000,100000,1000000] [--sweeps 6] [--json OUT]
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Generator } from "../../src/base/generator.ts";
import { fitWithSetting } from "../../src/inference/cavi/cavi.ts";
import { inputsOf, readyFor, sweepOnce } from "../../src/inference/cavi/sweep.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { program } from "../../src/program/program.ts";
import { median } from "../command.ts";
import { short, table } from "../models/peer.ts";
import { mixture, mixtureData } from "./models.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "1000,10000,100000,1000000" },
    sweeps: { type: "string", default: "6" },
    one: { type: "string" },
    json: { type: "string" },
  },
});
const [columns, components] = [10, 20];

interface Figure {
  readonly rows: number;
  /** Median of the sweeps after the first. */
  readonly perSweep: number;
  readonly seconds: number;
  readonly dataMegabytes: number;
  /** What q keeps: rows × K probabilities, and the components. */
  readonly stateMegabytes: number;
  /** What a sweep's temporaries take beside data and state. */
  readonly temporaryMegabytes: number;
}

async function measure(rows: number): Promise<Figure> {
  const generator = new Generator(1, "size");
  const centres = Array.from({ length: components * columns }, () => 3 * generator.normal());
  const x = Array.from({ length: rows }, (_, n) =>
    Float64Array.from({ length: columns }, (_, d) => centres[(n % components) * columns + d]! + generator.normal()),
  );
  const problem = await problemOf(mixture, mixtureData(x, components) as never);
  const times: number[] = [performance.now()];
  const { fit, setting } = await fitWithSetting(problem, {
    maxSweeps: Number(flags.sweeps),
    tolerance: 0,
    onSweep: () => times.push(performance.now()),
  });
  const { inputs } = inputsOf(setting);
  const { runtime } = problem;
  const sweep = await program({
    runtime,
    state: setting.buffers,
    inputs,
    body: ({ state, inputs }) => {
      const { next, elbo } = sweepOnce(readyFor(setting, Object.values(state)[0]!, inputs as never), state);
      return { state: next, outputs: { elbo } };
    },
  });
  const numbers = [...fit.state.values()].reduce((n, values) => n + values.length, 0);
  return {
    rows,
    perSweep: median(times.slice(2).map((t, i) => (t - times[i + 1]!) / 1000)),
    seconds: fit.seconds,
    dataMegabytes: (8 * rows * columns) / 1e6,
    stateMegabytes: (8 * numbers) / 1e6,
    temporaryMegabytes: sweep.explain().arenaBytes / 1e6,
  };
}

if (flags.one !== undefined) console.log(JSON.stringify(await measure(Number(flags.one))));
else {
  const figures = flags.rows.split(",").map((rows): Figure => {
    const file = fileURLToPath(import.meta.url);
    const run = spawnSync(process.execPath, ["--import", "tsx", file, "--one", rows, "--sweeps", flags.sweeps], { encoding: "utf8", maxBuffer: 1 << 24 }); // biome-ignore format: one line
    if (run.status !== 0) throw new Error(`${rows} rows: ${run.stderr.trim()}`);
    return JSON.parse(run.stdout.trim().split("\n").at(-1)!);
  });
  console.log(
    table(
      ["rows", "ms a sweep", "µs a row and sweep", "data, MB", "q, MB", "temporaries, MB", "temporaries / (rows × K × 8 bytes)"],
      figures.map((f) =>
        [f.rows, 1000 * f.perSweep, (1e6 * f.perSweep) / f.rows, f.dataMegabytes, f.stateMegabytes, f.temporaryMegabytes, (1e6 * f.temporaryMegabytes) / (8 * f.rows * components)].map(short),
      ),
    ),
  ); // biome-ignore format: short
  if (flags.json)
    writeFileSync(flags.json, `${JSON.stringify({ date: new Date().toISOString(), figures }, null, 2)}\n`);
}
