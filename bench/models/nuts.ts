/**
 * NUTS: effective draws per second, ours beside other systems. Four chains of 1000 warm-up and 1000 kept transitions (300 and 300
 * of the logistic regression, whose gradient takes a thousand times as long), each system with its own defaults: a diagonal metric;
 * ours takes a dense one where that pays. One process after another, in an order that changes from round to round.
 *
 *     PEERS_PYTHON=… PEERS_STAN=… npx tsx bench/models/nuts.ts [--models eight-schools,…] [--peers ansatz,nutpie,…] [--rounds 3] [--json FILE]
 *
 * `ansatz-certified` is `infer`, which judges its draws before it returns them; the others, and the row `ansatz`, leave that to another
 * call.
 *
 * The figure is the least bulk ESS over the reported parameters, by our code for everyone's draws, over the seconds of sampling
 * (warm-up included) and over those of compiling and sampling. Imports are in neither: bench/models/startup.ts has them. Means over
 * all draws must agree with the reference of posteriordb, or with the other systems' where there is none. Stan's compile time is the
 * processor time that stanc and the C++ compiler took when its models were built.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { essBulk } from "../../src/diagnostics/ess.ts";
import { rhat } from "../../src/diagnostics/rhat.ts";
import { median } from "../command.ts";
import { dataOf, type ModelName, referenceOf, reported } from "./definitions.ts";
import { ask, chosen, short, startPeer, table, turned } from "./peer.ts";

const offered = ["ansatz", "ansatz-certified", "numpyro", "numpyro-parallel", "nutpie", "stan"];
const { values: flags } = parseArgs({
  options: {
    models: { type: "string", default: "eight-schools,logistic,mixture,autoregression" },
    peers: { type: "string" },
    rounds: { type: "string", default: "3" },
    chains: { type: "string", default: "4" },
    json: { type: "string" },
  },
});
const chains = Number(flags.chains);
/** Transitions of each chain that are kept; as many go before them as warm-up. */
const drawsOf = (model: ModelName): number => (model === "logistic" || model === "gp200" ? 300 : 1000);

interface Run {
  readonly model: ModelName;
  readonly peer: string;
  readonly seconds: number;
  readonly compileSeconds: number;
  readonly ess: number;
  readonly rhat: number;
  /** Means of the reported parameters. */
  readonly means: readonly number[];
}

/** Each parameter's chains, from draws [chains, draws, parameters]. */
function columns(file: string, width: number, draws: number): Float64Array[][] {
  const bytes = readFileSync(file);
  const all = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  if (all.length !== chains * draws * width)
    throw new Error(`${all.length} numbers were drawn, not ${chains * draws * width}`);
  return Array.from({ length: width }, (_, i) =>
    Array.from({ length: chains }, (_, c) =>
      Float64Array.from({ length: draws }, (_, d) => all[(c * draws + d) * width + i]!),
    ),
  );
}

const folder = mkdtempSync(join(tmpdir(), "ansatz-bench-"));
const runs: Run[] = [];
for (const model of flags.models.split(",") as ModelName[]) {
  const data = join(folder, `${model}.json`);
  writeFileSync(data, JSON.stringify(dataOf(model)));
  const draws = drawsOf(model);
  const commands = chosen(flags.peers, offered);
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const command of turned(commands, round)) {
      const peer = await startPeer(command);
      if (!peer) continue;
      const out = join(folder, "draws.f64");
      const request = { do: "nuts", model, data, chains, warmUp: draws, draws, seed: round + 1, out };
      const answer = await ask<{ seconds: number; compileSeconds: number }>(peer, request);
      peer.quit();
      if (answer.absent) {
        console.error(`${model}: ${command.name} left out: ${answer.absent}`);
        continue;
      }
      const parameters = columns(out, reported[model].length, draws);
      runs.push({
        model,
        peer: command.name,
        seconds: answer.seconds,
        compileSeconds: answer.compileSeconds,
        ess: Math.min(...parameters.map(essBulk)),
        rhat: Math.max(...parameters.map(rhat)),
        means: parameters.map((of) => of.flatMap((chain) => [...chain]).reduce((a, b) => a + b, 0) / (chains * draws)),
      });
      console.error(`${model}, round ${round + 1}: ${command.name} ${answer.seconds.toFixed(2)} s`);
    }
  }
  print(model);
}
rmSync(folder, { recursive: true });
if (flags.json)
  writeFileSync(flags.json, `${JSON.stringify({ date: new Date().toISOString(), chains, runs }, null, 2)}\n`);

function print(model: ModelName): void {
  const mine = runs.filter((run) => run.model === model);
  const peers = [...new Set(mine.map((run) => run.peer))];
  const of = (peer: string, figure: (run: Run) => number) =>
    median(mine.filter((run) => run.peer === peer).map(figure));
  const rate = (run: Run) => run.ess / run.seconds;
  const withCompile = (run: Run) => run.ess / (run.seconds + run.compileSeconds);
  const ours = { rate: of("ansatz", rate), withCompile: of("ansatz", withCompile) };
  const reference = referenceOf(model);
  const names = reported[model];
  const centre = names.map((name, i) => reference?.get(name)?.mean ?? median(peers.map((p) => of(p, (run) => run.means[i]!)))); // biome-ignore format: one line
  const scale = names.map((name) => reference?.get(name)?.sd ?? null);
  /** Greatest distance of a mean over all rounds from the reference, in its sds; where there is none, as a number. */
  const away = (peer: string) =>
    Math.max(...centre.map((c, i) => Math.abs(of(peer, (run) => run.means[i]!) - c) / (scale[i] ?? 1)));
  const heads = [
    "", "ESS/s", "ansatz / it", "ESS/s with compile", "ansatz / it", "seconds", "compile s", "least bulk ESS", "greatest R-hat", "mean off by",
  ]; // biome-ignore format: a list
  console.log(`\n${model}: dimension ${names.length}, ${mine.length / peers.length} runs each, medians\n`);
  console.log(
    table(
      heads,
      peers.map((peer) => [
        peer,
        short(of(peer, rate)),
        short(ours.rate / of(peer, rate)),
        short(of(peer, withCompile)),
        short(ours.withCompile / of(peer, withCompile)),
        short(of(peer, (run) => run.seconds)),
        short(of(peer, (run) => run.compileSeconds)),
        of(peer, (run) => run.ess).toFixed(0),
        of(peer, (run) => run.rhat).toFixed(4),
        away(peer).toFixed(3),
      ]),
    ),
  );
}
