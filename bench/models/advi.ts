/**
 * ADVI on eight schools (non-centred) to the same accuracy: every reported mean within 0.1 sd of posteriordb's reference. The whole fit
 * from the model's text and the data to draws, compile included, imports not, each in a fresh process, interleaved.
 *
 *     PEERS_PYTHON=… PEERS_STAN=… npx tsx bench/models/advi.ts [--peers ansatz-advi,pymc,…] [--rounds 5] [--json FILE]
 *
 * NumPyro and PyMC need to be told how many steps to take: before the timing each is given the fewest of 500, 1000, 2000, … 64,000
 * that reach the accuracy with every one of three seeds, which a user would not know. Ours stop by themselves. PyMC's and Stan's own
 * stopping rules are rows of their own. A row says in how many of its runs the accuracy was reached.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../command.ts";
import { dataOf, referenceOf } from "./definitions.ts";
import { ask, peerCommands, short, startPeer, table, turned } from "./peer.ts";

const model = "eight-schools";
const LIMIT = 0.1;

interface Way {
  readonly name: string;
  readonly peer: string;
  readonly request: Readonly<Record<string, unknown>>;
  /** Whether it has to be told the number of steps. */
  readonly steps: boolean;
}
const ways: readonly Way[] = [
  { name: "ansatz-meanfield", peer: "ansatz", request: { method: "meanfield" }, steps: false },
  { name: "ansatz-advi", peer: "ansatz", request: { method: "advi" }, steps: false },
  { name: "ansatz-auto", peer: "ansatz", request: { method: "auto" }, steps: false },
  { name: "numpyro", peer: "numpyro", request: { rate: 0.01 }, steps: true },
  { name: "pymc", peer: "pymc", request: {}, steps: true },
  { name: "pymc-stopping", peer: "pymc", request: { stopping: true, steps: 100_000 }, steps: false },
  { name: "stan-stopping", peer: "stan", request: {}, steps: false },
];

const { values: flags } = parseArgs({
  options: { peers: { type: "string" }, rounds: { type: "string", default: "5" }, json: { type: "string" } },
});
const asked = flags.peers?.split(",") ?? ways.map((way) => way.name);
const unknown = asked.filter((name) => !ways.some((way) => way.name === name));
if (unknown.length) throw new Error(`no ${unknown.join(", ")}; there are ${ways.map((way) => way.name).join(", ")}`);

const folder = mkdtempSync(join(tmpdir(), "ansatz-bench-"));
const data = join(folder, "data.json");
writeFileSync(data, JSON.stringify(dataOf(model)));
const reference = referenceOf(model)!;

interface Fit {
  readonly seconds: number;
  /** What building took beforehand (Stan). */
  readonly buildSeconds: number;
  readonly steps: number | null;
  /** Greatest distance of a mean in reference sds. */
  readonly off: number;
}

async function fit(way: Way, seed: number, steps: number | null): Promise<Fit | null> {
  const peer = await startPeer(peerCommands.find(({ name }) => name === way.peer)!);
  if (!peer) return null;
  const answer = await ask<{
    seconds: number;
    compileSeconds?: number;
    steps: number | null;
    means: Record<string, number>;
  }>(peer, { do: "advi", model, data, seed, ...(steps === null ? {} : { steps }), ...way.request });
  peer.quit();
  if (answer.absent) {
    console.error(`${way.name} left out: ${answer.absent}`);
    return null;
  }
  const off = [...reference].map(([name, { mean, sd }]) => Math.abs((answer.means[name] ?? Number.NaN) - mean) / sd);
  return {
    seconds: answer.seconds,
    buildSeconds: way.peer === "stan" ? answer.compileSeconds! : 0,
    steps: answer.steps,
    off: Math.max(...off),
  };
}

/** The fewest steps with which three seeds reach the accuracy; null where none of the tried ones do. */
async function stepsFor(way: Way): Promise<number | null> {
  for (let steps = 500; steps <= 64_000; steps *= 2) {
    let reached = true;
    for (let seed = 101; reached && seed < 104; seed++) {
      const found = await fit(way, seed, steps);
      if (!found) return null;
      reached = found.off <= LIMIT;
    }
    if (reached) return steps;
  }
  console.error(`${way.name}: no number of steps up to 64,000 brings the means within ${LIMIT} sd with three seeds`);
  return 64_000;
}

const entries: { way: Way; steps: number | null; fits: Fit[] }[] = [];
for (const way of ways.filter(({ name }) => asked.includes(name))) {
  const steps = way.steps ? await stepsFor(way) : null;
  if (way.steps && steps === null) continue;
  entries.push({ way, steps, fits: [] });
  console.error(`${way.name}: ${steps === null ? "stops by itself" : `${steps} steps`}`);
}
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const entry of turned(entries, round)) {
    const found = await fit(entry.way, round + 1, entry.steps);
    if (found) entry.fits.push(found);
  }
  console.error(`round ${round + 1} of ${flags.rounds}`);
}

const seconds = (of: Fit) => of.seconds + of.buildSeconds;
const ours = entries.find(({ way }) => way.name === "ansatz-advi") ?? entries[0]!;
const own = median(ours.fits.map(seconds));
console.log(
  table(
    ["", "seconds with compile", "least", `it / ${ours.way.name}`, "steps or points", "within 0.1 sd", "worst mean off by"],
    entries
      .filter(({ fits }) => fits.length)
      .map(({ way, fits }) => [
        way.name,
        short(median(fits.map(seconds))),
        short(Math.min(...fits.map(seconds))),
        short(median(fits.map(seconds)) / own),
        String(median(fits.map(({ steps }) => steps ?? Number.NaN))),
        `${fits.filter(({ off }) => off <= LIMIT).length} of ${fits.length}`,
        Math.max(...fits.map(({ off }) => off)).toFixed(3),
      ]),
  ),
);
rmSync(folder, { recursive: true });
if (flags.json) {
  const record = entries.map(({ way, steps, fits }) => ({ name: way.name, steps, fits }));
  writeFileSync(flags.json, `${JSON.stringify({ date: new Date().toISOString(), limit: LIMIT, record }, null, 2)}\n`);
}
