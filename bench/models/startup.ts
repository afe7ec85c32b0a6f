/**
 * Eight schools (non-centred): from process start to a finished posterior, imports and compilation included, interleaved.
 *
 *     npm run build && PEERS_PYTHON=… PEERS_STAN=… npx tsx bench/models/startup.ts [--peers script,command,…] [--rounds 9] [--json FILE]
 *
 * Ours: a script on the built package, the command line without and with its report, and NUTS. The others sample with NUTS, 4 × 1000
 * draws after 1000 of warm-up, which is what they offer against our certified posterior; PyMC also with ADVI, 10,000 steps, its
 * default, which may or may not have reached its end: how far its mean is off is a column. PyMC's and NumPyro's caches on disk are as earlier runs left them. Stan's model is compiled beforehand; what that takes
 * is its last column.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../command.ts";
import { dataOf, referenceOf } from "./definitions.ts";
import { ask, peerCommands, short, startPeer, table, turned } from "./peer.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ansatz-bench-"));
const data = join(folder, "data.json");
writeFileSync(data, JSON.stringify(dataOf("eight-schools")));
const run = join(folder, "run");

/** Milliseconds to the last line of standard output, which is JSON, and that. */
function finished(args: readonly string[]): Promise<{ ms: number; json: Record<string, unknown> }> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let errors = "";
  let ms = Number.NaN;
  child.stdout.on("data", (chunk) => {
    out += chunk;
    ms = performance.now() - started;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      if (code !== 0) return reject(new Error(`${args.join(" ")} ended with ${code}\n${errors}`));
      resolve({ ms, json: JSON.parse(out.trim().split("\n").at(-1)!) });
    });
  });
}

interface Start {
  readonly ms: number;
  /** Of mu; NaN where the peer does not say. */
  readonly mean: number;
  readonly beforehand: number;
}
type Way = () => Promise<Start | null>;

const script =
  (method: string): Way =>
  async () => {
    const { ms, json } = await finished([here("start-eight-schools.mjs"), data, method]);
    return { ms, mean: json["mean"] as number, beforehand: 0 };
  };
const command =
  (...flags: string[]): Way =>
  async () => {
    const model = here("../../examples/posteriordb/eight_schools-eight_schools_noncentered.ts");
    const args = ["fit", model, "--data", data, "--out", run, "--overwrite", "--json", ...flags];
    const { ms, json } = await finished([here("../../bin/ansatz.js"), ...args]);
    const { mu } = json["parameters"] as { mu: { mean: number } };
    return { ms, mean: mu.mean, beforehand: 0 };
  };
const peer =
  (name: string, request: Readonly<Record<string, unknown>>): Way =>
  async () => {
    const started = performance.now();
    const process = await startPeer(peerCommands.find((each) => each.name === name)!);
    if (!process) return null;
    const out = join(folder, "draws.f64");
    const settings = { chains: 4, warmUp: 1000, draws: 1000, seed: 1, once: true, out };
    const answer = await ask<{ compileSeconds?: number; means?: { mu: number } }>(process, {
      model: "eight-schools",
      data,
      ...settings,
      ...request,
    });
    const ms = performance.now() - started;
    process.quit();
    if (answer.absent) {
      console.error(`${name} left out: ${answer.absent}`);
      return null;
    }
    const beforehand = name === "stan" ? answer.compileSeconds! : 0;
    return { ms, mean: answer.means?.mu ?? Number.NaN, beforehand };
  };

const ways: Readonly<Record<string, Way>> = {
  script: script("auto"),
  "script-nuts": script("nuts"),
  command: command("--no-report"),
  "command-report": command(),
  numpyro: peer("numpyro", { do: "nuts" }),
  nutpie: peer("nutpie", { do: "nuts" }),
  pymc: peer("pymc", { do: "advi", steps: 10_000 }),
  stan: peer("stan", { do: "nuts" }),
};

const { values: flags } = parseArgs({
  options: { peers: { type: "string" }, rounds: { type: "string", default: "9" }, json: { type: "string" } },
});
const asked = flags.peers?.split(",") ?? Object.keys(ways);
for (const name of asked) {
  if (!ways[name]) throw new Error(`no ${name}; there are ${Object.keys(ways).join(", ")}`);
}

const { mean, sd } = referenceOf("eight-schools")!.get("mu")!;
const entries = asked.map((name) => ({ name, starts: [] as Start[] }));
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const { name, starts } of turned(entries, round)) {
    const found = await ways[name]!();
    if (!found) continue;
    starts.push(found);
  }
}
console.log(
  table(
    ["", "ms to the posterior, median", "least", "greatest", "mean of mu, off by", "compiled beforehand, s"],
    entries
      .filter(({ starts }) => starts.length)
      .map(({ name, starts }) => {
        const ms = starts.map((start) => start.ms);
        const beforehand = starts[0]!.beforehand;
        const off = Math.abs(median(starts.map((start) => start.mean)) - mean) / sd;
        const times = [median(ms), Math.min(...ms), Math.max(...ms)].map((x) => x.toFixed(0));
        return [name, ...times, Number.isNaN(off) ? "" : `${off.toFixed(2)} sd`, beforehand ? short(beforehand) : ""];
      }),
  ),
);
rmSync(folder, { recursive: true });
if (flags.json) writeFileSync(flags.json, `${JSON.stringify({ date: new Date().toISOString(), entries }, null, 2)}\n`);
