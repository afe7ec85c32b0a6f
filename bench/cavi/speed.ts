// Coordinate ascent and EP beside their peers in one run: processes that stay up and take turns; figures are ratios of medians.
// Run: npx tsx bench/cavi/speed.ts [--cases mixture,lda,small,ep] [--rounds 3] [--rows 100000] [--sweeps 30] [--python PYTHON]
//      [--gpy PYTHON with GPy] [--documents N] [--json OUT]
//
// A peer says who it is in one JSON line, then answers each JSON object on its standard input with one:
//   {"do": "start", "x", "rows", "columns", "components", "seed", "start"}     writes responsibilities to start from to the file "start"
//   {"do": "mixture", …, "sweeps"}                   {"seconds", "perSweep", "means"}: the same start, the same number of sweeps
//   {"do": "lda", "entries", "sweeps", "seed", "start"}   {"seconds", "trajectory"?}: writes the topics' concentrations to "start"
//   {"do": "small", "name", "data", "tolerance", "seed"}  {"seconds", "elbo", "sweeps"}
//   {"do": "probit", "data", "tolerance"}                 {"seconds", "logZ", "mean"}
// or with {"absent": why}. Times hold all from data in arrays to the fit: reading the model, compiling, fitting.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { Generator } from "../../src/base/generator.ts";
import { dataFolder, median } from "../command.ts";
import { type Answered, ask, short, startPeer, table, turned } from "../models/peer.ts";
import type { PeerCommand, PeerProcess } from "../peers/process.ts";

const { values: flags } = parseArgs({
  options: {
    cases: { type: "string", default: "mixture,lda,small,ep" },
    rounds: { type: "string", default: "3" },
    rows: { type: "string", default: "100000" },
    sweeps: { type: "string", default: "30" },
    documents: { type: "string" },
    python: { type: "string", default: process.env["PEERS_PYTHON"] ?? "python3" },
    gpy: { type: "string" },
    json: { type: "string" },
  },
});
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const rounds = Number(flags.rounds);
const folder = mkdtempSync(join(tmpdir(), "ansatz-cavi-"));
const place = (name: string): string => join(folder, name);

const ansatz: PeerCommand = { name: "ansatz", command: process.execPath, args: ["--import", "tsx", here("peer-ansatz.ts")] }; // biome-ignore format: one line
const inPython = (name: string, file: string, ...args: string[]): PeerCommand => ({ name, command: flags.python, args: [here(file), ...args] }); // biome-ignore format: one line
const commands: Readonly<Record<string, readonly PeerCommand[]>> = {
  mixture: [ansatz, inPython("scikit-learn", "in_sklearn.py")],
  lda: [ansatz, inPython("scikit-learn", "in_sklearn.py")],
  small: [ansatz, inPython("bayespy", "in_bayespy.py")],
  ep: [
    ansatz,
    inPython("numpy-ep", "ep_peers.py", "numpy"),
    ...(flags.gpy === undefined ? [] : [{ ...inPython("gpy", "ep_peers.py"), command: flags.gpy }]),
  ],
};

interface Answer {
  readonly seconds: number;
  readonly perSweep?: number;
  readonly elbo?: number;
  readonly logZ?: number;
  readonly sweeps?: number;
  readonly means?: number[];
  readonly mean?: number[];
  readonly trajectory?: readonly (readonly [number, number])[];
}

const figures: Record<string, unknown>[] = [];

/** Each peer in turn, in another order in each round: all answers of each. */
async function inTurns(peers: readonly PeerProcess[], request: (round: number) => Record<string, unknown>) {
  const found = new Map<PeerProcess, Answer[]>(peers.map((p) => [p, []]));
  for (let round = 0; round < rounds; round++) {
    for (const peer of turned(peers, round)) {
      const answer: Answered<Answer> = await ask(peer, request(round));
      if (answer.absent) console.error(`${peer.name} left out: ${answer.absent}`);
      else found.get(peer)!.push(answer);
    }
  }
  return [...found].filter(([, answers]) => answers.length > 0);
}

const secondsOf = (answers: readonly Answer[]): number[] => answers.map((a) => a.seconds);

function report(name: string, found: readonly (readonly [PeerProcess, Answer[]])[], more: (a: Answer) => string): void {
  const ours = median(secondsOf(found[0]![1]));
  console.log(`\n${name}\n`);
  console.log(
    table(
      ["", "first, s", "median, s", "least", "greatest", "its time / ours", ""],
      found.map(([peer, answers]) => {
        const s = secondsOf(answers);
        return [peer.name, short(s[0]!), short(median(s)), short(Math.min(...s)), short(Math.max(...s)), short(median(s) / ours), more(answers.at(-1)!)]; // biome-ignore format: one row
      }),
    ),
  );
  for (const [peer, answers] of found) figures.push({ name, peer: peer.name, seconds: secondsOf(answers) });
}

const farthest = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

async function mixture(peers: readonly PeerProcess[]): Promise<void> {
  const [rows, columns, components] = [Number(flags.rows), 10, 20];
  const generator = new Generator(1, "mixture");
  const centres = Array.from({ length: components * columns }, () => 3 * generator.normal());
  const x = new Float64Array(rows * columns);
  for (let i = 0; i < x.length; i++) {
    const n = Math.floor(i / columns);
    x[i] = centres[(n % components) * columns + (i % columns)]! + generator.normal();
  }
  writeFileSync(place("x.f64"), x);
  const request = { x: place("x.f64"), rows, columns, components, seed: 1, start: place("start.f64"), sweeps: Number(flags.sweeps) }; // biome-ignore format: one line
  await ask(peers[0]!, { do: "start", ...request });
  const found = await inTurns(peers, () => ({ do: "mixture", ...request }));
  const ours = found[0]![1][0]!;
  report(`Gaussian mixture, ${rows} × ${columns}, K = ${components}: ${flags.sweeps} sweeps from one start`, found, (a) =>
    `${short(1000 * a.perSweep!)} ms a sweep, means differ by ${farthest(a.means!, ours.means!).toExponential(1)}`); // biome-ignore format: short
}

async function lda(peers: readonly PeerProcess[]): Promise<void> {
  const { apCorpus, entriesOf, apFile } = await import("./ap-corpus.ts");
  if (!existsSync(apFile)) return console.error(`lda left out: there is no ${apFile}`);
  const { boundOf } = await import("./lda-bound.ts");
  const corpus = apCorpus(flags.documents === undefined ? undefined : Number(flags.documents));
  const entries = entriesOf(corpus.fitted);
  const [topics, documents, vocabulary] = [50, corpus.fitted.length, corpus.vocabulary];
  const [alpha, eta] = [1 / topics, 1 / topics];
  writeFileSync(place("entries.json"), JSON.stringify({ topics, vocabulary, documents, alpha, eta, ...entries }));
  const [ours, peer] = peers as [PeerProcess, PeerProcess | undefined];
  const sweeps = Number(flags.sweeps);
  const rowsOut: string[][] = [];
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const mine: Answered<Answer> = await ask(ours, { do: "lda", entries: place("entries.json"), sweeps: 8 * sweeps, seed: round, start: place("ours.f64") }); // biome-ignore format: one line
    if (mine.absent) throw new Error(mine.absent);
    const last = mine.trajectory!.at(-1)!;
    rowsOut.push(["ansatz", String(round), short(last[0]), last[1].toFixed(0), ""]);
    if (!peer) continue;
    const theirs: Answered<Answer> = await ask(peer, { do: "lda", entries: place("entries.json"), sweeps, seed: round, start: place("theirs.f64") }); // biome-ignore format: one line
    if (theirs.absent) throw new Error(theirs.absent);
    const concentration = new Float64Array(new Uint8Array(readFileSync(place("theirs.f64"))).buffer);
    const bound = boundOf(corpus.fitted, concentration, { alpha, eta });
    // Ours at the first sweep that is as high; where none is, ours is counted as not having got there.
    const reached = mine.trajectory!.find(([, elbo]) => elbo >= bound)?.[0] ?? Number.POSITIVE_INFINITY;
    ratios.push(theirs.seconds / reached);
    rowsOut.push([peer.name, String(round), short(theirs.seconds), bound.toFixed(0), Number.isFinite(reached) ? `ansatz was there after ${short(reached)} s: ${short(theirs.seconds / reached)} times` : `ansatz did not get there in ${short(last[0])} s`]); // biome-ignore format: one line
  }
  console.log(`\nLDA, ${documents} documents of the AP corpus, ${entries.word.length} pairs, K = ${topics}: time to scikit-learn's bound after ${sweeps} passes\n`); // biome-ignore format: one line
  console.log(table(["", "round", "s", "bound", ""], rowsOut));
  if (ratios.length) console.log(`\nits time / ours, median: ${short(median(ratios))}`);
  figures.push({ name: "lda", ratios });
}

function tableIn(file: string): string[][] {
  const text = gunzipSync(readFileSync(join(dataFolder, "tabular", file))).toString();
  return text.trim().split("\n").slice(1).map((line) => line.split(",")); // biome-ignore format: short
}

/** Columns in units of their sd around their mean; those that never change are left out. */
function scaled(columns: readonly (readonly number[])[]): number[][] {
  return columns.flatMap((column) => {
    const mean = column.reduce((a, b) => a + b, 0) / column.length;
    const sd = Math.sqrt(column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / column.length);
    return sd > 0 ? [column.map((v) => (v - mean) / sd)] : [];
  });
}
const rowsOf = (columns: readonly (readonly number[])[]): number[][] => columns[0]!.map((_, i) => columns.map((c) => c[i]!)); // biome-ignore format: one line
const columnsOf = (rows: readonly (readonly string[])[]): number[][] =>
  rows[0]!.slice(0, -1).map((_, j) => rows.map((row) => Number(row[j]))); // biome-ignore format: short

async function small(peers: readonly PeerProcess[]): Promise<void> {
  const generator = new Generator(2, "small");
  const kinds = Array.from({ length: 3 }, () =>
    Array.from({ length: 10 }, () => (generator.uniform() < 0.5 ? 0.9 : 0.1)),
  );
  const faithful = tableIn("old_faithful.csv.gz").map((row) => row.map(Number));
  const data: Record<string, Record<string, unknown>> = {
    normal: { y: Array.from({ length: 50 }, () => 3 + 2 * generator.normal()) },
    pca: { x: rowsOf(scaled(columnsOf(tableIn("wine.csv.gz")))) },
    mixture: { x: rowsOf(scaled([0, 1].map((j) => faithful.map((row) => row[j]!)))) },
    bernoulli: { x: Array.from({ length: 500 }, (_, n) => kinds[n % 3]!.map((p) => Number(generator.uniform() < p))) },
  };
  for (const [name, own] of Object.entries(data)) {
    const found = await inTurns(peers, (round) => ({ do: "small", name, data: own, tolerance: 1e-6, seed: round }));
    if (found.length > 0) report(`${name}, to a relative change of 1e-6`, found, (a) => `bound ${a.elbo!.toFixed(3)}, ${a.sweeps} sweeps`); // biome-ignore format: one line
  }
}

async function ep(peers: readonly PeerProcess[]): Promise<void> {
  for (const [file, positive] of [
    ["pima_uci.csv.gz", "1"],
    ["ionosphere.csv.gz", "g"],
  ] as const) {
    const rows = tableIn(file);
    const y = rows.map((row) => Number(row.at(-1) === positive));
    const x = rowsOf([y.map(() => 1), ...scaled(columnsOf(rows))]);
    const found = await inTurns(peers, () => ({ do: "probit", data: { x, y }, tolerance: 1e-6 }));
    const ours = found[0]![1][0]!;
    report(`probit regression on ${file}, ${x.length} × ${x[0]!.length}, to 1e-6`, found, (a) =>
      `log Z ${a.logZ!.toFixed(5)}, means differ by ${farthest(a.mean!, ours.mean!).toExponential(1)}`); // biome-ignore format: short
  }
}

const runs: Readonly<Record<string, (peers: readonly PeerProcess[]) => Promise<void>>> = { mixture, lda, small, ep };
for (const name of flags.cases.split(",")) {
  const run = runs[name];
  if (!run) throw new Error(`no case ${name}; there are ${Object.keys(runs).join(", ")}`);
  const peers: PeerProcess[] = [];
  for (const command of commands[name]!) {
    const peer = await startPeer(command);
    if (peer) peers.push(peer);
  }
  if (peers[0]?.name !== "ansatz") throw new Error("the ratios are about ansatz, which did not start");
  await run(peers);
  for (const peer of peers) peer.quit();
}
rmSync(folder, { recursive: true });
if (flags.json) writeFileSync(flags.json, `${JSON.stringify({ date: new Date().toISOString(), figures }, null, 2)}\n`);
