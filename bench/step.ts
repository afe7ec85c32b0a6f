/**
 * Milliseconds per AEVB step (784-500-20-500-784, tanh, batch 100, Adam), ours beside its peers, interleaved.
 *
 *     npx tsx bench/step.ts [--peers torch-eager,jax,...] [--rounds 12] [--steps 20] [--quiet CORES] [--out FILE]
 *
 * Every peer is a process of its own that stays up and runs blocks of steps in turn, in an order that changes from
 * round to round, so that a change of the machine's speed meets all of them. PEERS_PYTHON names the Python,
 * PEERS_MODULES the directory holding the JavaScript peers' node_modules; what is not installed is skipped and listed.
 * PEERS_BLAS=/path/to/libmkl_rt.so adds ours with that library in place of the one found. See peers/README.md.
 *
 * --quiet 0.1 runs a block again when processes outside the benchmark used more than a tenth of a core meanwhile; the
 * rule looks at the processor's clock and never at the times it guards.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Block, type PeerCommand, PeerFailure, PeerProcess } from "./peers/process.ts";

const here = dirname(fileURLToPath(import.meta.url));
const python = process.env["PEERS_PYTHON"] ?? "python3";

const inPython = (name: string, file: string): PeerCommand => ({
  name,
  command: python,
  args: [join(here, "peers", file)],
});
const inNode = (name: string, file: string, ...args: string[]): PeerCommand => ({
  name,
  command: process.execPath,
  args: ["--import", "tsx", join(here, "peers", file), ...args],
});

const otherBlas = process.env["PEERS_BLAS"];

const available: readonly PeerCommand[] = [
  inNode("ansatz", "ansatz.ts"),
  inNode("ansatz-no-blas", "ansatz.ts", "--no-blas"),
  ...(otherBlas ? [inNode("ansatz-other-blas", "ansatz.ts", "--blas", otherBlas)] : []),
  inPython("torch-eager", "torch_eager.py"),
  inPython("torch-compile", "torch_compile.py"),
  inPython("jax", "jax_jit.py"),
  inNode("jax-js", "jaxjs.ts"),
  inNode("tfjs", "tfjs.ts"),
  inPython("gemms", "gemms.py"),
];

/** Steps at the head of each block that are run but not counted: the caches and the threads come back from a pause. */
const discarded = 3;
/** Between two peers, so that the threads of the first have gone to sleep before the second begins. */
const pauseMs = 150;
/** How often a block is run again because other work disturbed it, before it is taken as it is. */
const attempts = 20;

interface Record {
  readonly peer: PeerProcess;
  readonly ms: number[];
  readonly parts: Map<string, number[]>;
  negElbo: number | null;
  /** Processor time used while other peers ran, and how long they ran, in seconds. */
  idleBusy: number;
  idleTotal: number;
  /** Cores that processes outside this benchmark kept busy, for each block. */
  readonly foreignCores: number[];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

async function startAll(peers: readonly PeerCommand[]): Promise<{ records: Record[]; skipped: Map<string, string> }> {
  const records: Record[] = [];
  const skipped = new Map<string, string>();
  for (const command of peers) {
    const file = command.args.find((argument) => /\.(ts|py)$/.test(argument)) ?? "";
    if (!existsSync(file)) {
      skipped.set(command.name, "not written yet");
      continue;
    }
    console.error(`starting ${command.name}`);
    try {
      const peer = await PeerProcess.start(command);
      records.push({ peer, ms: [], parts: new Map(), negElbo: null, idleBusy: 0, idleTotal: 0, foreignCores: [] });
    } catch (error) {
      if (!(error instanceof PeerFailure)) throw error;
      skipped.set(command.name, error.message);
    }
  }
  return { records, skipped };
}

/** Processor seconds that the whole machine has been busy since it started. */
function machineSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) / 1e3, 0);
}

async function runBlock(record: Record, all: readonly Record[], steps: number, quiet: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const usedBefore = all.map((each) => each.peer.processorSeconds() ?? Number.NaN);
    const machineBefore = machineSeconds();
    const began = performance.now();
    const block = await record.peer.run(discarded + steps);
    const seconds = (performance.now() - began) / 1e3;
    const used = all.map((each, i) => (each.peer.processorSeconds() ?? Number.NaN) - (usedBefore[i] ?? Number.NaN));
    const ours = used.reduce((sum, each) => sum + each, 0);
    const foreign = Math.max(0, machineSeconds() - machineBefore - ours) / seconds;
    if (foreign > quiet && attempt < attempts) continue;
    all.forEach((each, i) => {
      if (each === record) return;
      each.idleBusy += used[i] ?? Number.NaN;
      each.idleTotal += seconds;
    });
    record.foreignCores.push(foreign);
    keep(record, block);
    return;
  }
}

function keep(record: Record, block: Block): void {
  for (const [series, values] of Object.entries(block)) {
    if (!Array.isArray(values)) continue;
    const kept = values.slice(discarded) as number[];
    if (series === "ms") record.ms.push(...kept);
    else record.parts.set(series, [...(record.parts.get(series) ?? []), ...kept]);
  }
  record.negElbo = block.negElbo ?? null;
}

function printTable(records: readonly Record[]): void {
  const medians = records.map((record) => median(record.ms));
  const rows = records.map((record, i) => {
    const own = medians[i] ?? Number.NaN;
    const idle = record.idleTotal > 0 ? `${((100 * record.idleBusy) / record.idleTotal).toFixed(1)} %` : "";
    const times = [own, quantile(record.ms, 0.1), quantile(record.ms, 0.9)].map((value) => value.toFixed(3));
    const ratios = medians.map((other) => (own / other).toFixed(2));
    return [record.peer.name, ...times, idle, median(record.foreignCores).toFixed(2), ...ratios];
  });
  const ratioTitles = records.map((record) => `/ ${record.peer.name}`);
  rows.unshift(["", "median ms", "10%", "90%", "idle CPU", "foreign cores", ...ratioTitles]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(
      row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join("  "),
    );
  }
  console.log("");
  for (const { peer, parts, ms } of records) {
    const series = [...parts].map(([name, values]) => `, median ${name} ${median(values).toFixed(3)}`).join("");
    const versions = Object.entries(peer.about.versions).map(([name, version]) => `${name} ${version}`);
    const { threads, blas } = peer.about;
    console.log(`${peer.name}: ${versions.join(", ")}; ${threads} threads; ${blas}; ${ms.length} steps${series}`);
  }
}

function writeRecord(file: string, records: readonly Record[], skipped: ReadonlyMap<string, string>): void {
  const summary = {
    date: new Date().toISOString(),
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    skipped: Object.fromEntries(skipped),
    peers: records.map(({ peer, ms, parts, negElbo, idleBusy, idleTotal, foreignCores }) => ({
      ...peer.about,
      name: peer.name,
      steps: ms.length,
      medianMs: median(ms),
      p10Ms: quantile(ms, 0.1),
      p90Ms: quantile(ms, 0.9),
      parts: Object.fromEntries([...parts].map(([series, values]) => [series, median(values)])),
      lastNegElbo: negElbo,
      idleProcessorShare: idleTotal > 0 ? idleBusy / idleTotal : null,
      medianForeignCores: median(foreignCores),
      ms,
    })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(summary)}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peers: { type: "string" },
      rounds: { type: "string", default: "12" },
      steps: { type: "string", default: "20" },
      quiet: { type: "string", default: "Infinity" },
      out: { type: "string", default: join(here, "results", "step.json") },
    },
  });
  const asked = values.peers?.split(",") ?? available.map((peer) => peer.name);
  const unknown = asked.filter((name) => !available.some((peer) => peer.name === name));
  if (unknown.length > 0) {
    throw new Error(`no peer ${unknown.join(", ")}; there are ${available.map((peer) => peer.name).join(", ")}`);
  }
  const { records, skipped } = await startAll(available.filter((peer) => asked.includes(peer.name)));
  for (const [name, reason] of skipped) console.error(`skipped ${name}: ${reason}`);
  if (records.length === 0) throw new Error("no peer could be started");
  const rounds = Number(values.rounds);
  for (let round = 0; round < rounds; round++) {
    // Rotate and, every other round, reverse: each peer comes first, last, and after each neighbour.
    const turned = records.map((_, i) => records[(i + round) % records.length] as Record);
    if (round % 2 === 1) turned.reverse();
    for (const record of turned) await runBlock(record, records, Number(values.steps), Number(values.quiet));
    console.error(`round ${round + 1} of ${rounds}`);
  }
  for (const { peer } of records) peer.quit();
  printTable(records);
  writeRecord(values.out, records, skipped);
}

await main();
