/**
 * Microseconds of one log density with its gradient at a new point, called from the host and with the results on the host: ours
 * beside other systems, interleaved.
 *
 *     PEERS_PYTHON=… PEERS_MODULES=… PEERS_STAN=… npx tsx bench/models/gradient.ts [--models gp,…] [--peers ansatz,stan,…]
 *         [--rounds 9] [--milliseconds 100] [--json FILE]
 *
 * Before anything is timed, each peer's log density (up to a constant) and gradient must agree with ours at random points: one
 * that does not is listed and left out. Each round has a block of every peer, in an order that changes; the figures are medians
 * over the blocks, the ratios those of these medians. The rows `-bare` are calls in a compiled loop, without the host's language:
 * not what a user's Python can call, but what those systems' own samplers do.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Generator } from "../../src/base/generator.ts";
import { median } from "../command.ts";
import type { PeerProcess } from "../peers/process.ts";
import { dataOf, type ModelName, modelNames } from "./definitions.ts";
import { ask, chosen, short, startPeers, table, turned } from "./peer.ts";

const offered = ["ansatz", "numpyro", "pymc", "nutpie", "nutpie-bare", "stan", "stan-bare", "jax-js"];
const { values: flags } = parseArgs({
  options: {
    models: { type: "string", default: "eight-schools,logistic,gp,gp200" },
    peers: { type: "string" },
    rounds: { type: "string", default: "9" },
    milliseconds: { type: "string", default: "100" },
    json: { type: "string" },
  },
});
const models = flags.models.split(",") as ModelName[];
for (const name of models) {
  if (!modelNames.includes(name)) throw new Error(`no model ${name}; there are ${modelNames.join(", ")}`);
}

/** Relative to the largest gradient, or to the differences of log densities; for those that say that they compute less exactly, theirs. */
const TOLERANCE = 1e-9;

interface Density {
  readonly values: readonly number[];
  readonly gradients: readonly (readonly number[])[];
}

/** How far b's differences of log densities and its gradients are from a's, relative to the greatest of them. */
function disagreement(a: Density, b: Density): number {
  const difference = (x: readonly number[]) => x.map((value) => value - x[0]!);
  const relative = (x: readonly number[], y: readonly number[]) =>
    Math.max(...x.map((value, i) => Math.abs(value - y[i]!))) / Math.max(...x.map(Math.abs));
  const slopes = a.gradients.map((gradient, i) => relative(gradient, b.gradients[i]!));
  return Math.max(relative(difference(a.values), difference(b.values)), ...slopes);
}

interface Figure {
  readonly model: ModelName;
  readonly peer: string;
  readonly us: readonly number[];
  readonly compileSeconds: number;
  readonly disagreement: number;
}

async function measure(name: ModelName, peers: readonly PeerProcess[], data: string): Promise<Figure[]> {
  const ready: { peer: PeerProcess; compileSeconds: number; density: Density; us: number[] }[] = [];
  let points: number[][] = [];
  for (const peer of peers) {
    const prepared = await ask<{ seconds: number }>(peer, { do: "prepare", model: name, data });
    if (prepared.absent) {
      console.error(`${name}: ${peer.name} left out: ${prepared.absent}`);
      continue;
    }
    if (!points.length) {
      // Ours is the first: an empty list of points tells nothing, so its dimension comes from the data's layout.
      const dim = dimensions[name];
      const generator = new Generator(1, "points", name);
      points = Array.from({ length: 8 }, () => Array.from({ length: dim }, () => 0.4 * generator.normal()));
    }
    const density = await ask<Density>(peer, { do: "density", points });
    if (density.absent) {
      console.error(`${name}: ${peer.name} left out: ${density.absent}`);
      continue;
    }
    ready.push({ peer, compileSeconds: prepared.seconds, density, us: [] });
  }
  const ours = ready[0]!;
  const agreeing = ready.filter(({ peer, density }) => {
    const by = disagreement(ours.density, density);
    if (by <= ((peer.about["tolerance"] as number | undefined) ?? TOLERANCE)) return true;
    console.error(
      `${name}: ${peer.name} left out: its density or gradient differs from ours by ${by.toExponential(1)}`,
    );
    return false;
  });
  const time = { do: "time", points, milliseconds: Number(flags.milliseconds) };
  for (const { peer } of agreeing) await ask(peer, time); // compilers that look at what is hot have seen it
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const entry of turned(agreeing, round)) entry.us.push((await ask<{ us: number }>(entry.peer, time)).us);
  }
  return agreeing.map(({ peer, us, compileSeconds, density }) => ({
    model: name,
    peer: peer.name,
    us,
    compileSeconds,
    disagreement: disagreement(ours.density, density),
  }));
}

/** Unconstrained coordinates. */
const dimensions: Readonly<Record<ModelName, number>> = {
  "eight-schools": 10,
  logistic: 51,
  gp: 3,
  gp200: 3,
  mixture: 5,
  autoregression: 7,
};

const folder = mkdtempSync(join(tmpdir(), "ansatz-bench-"));
const peers = await startPeers(chosen(flags.peers, offered));
if (peers[0]?.name !== "ansatz") throw new Error("the ratios are about ansatz, which has to be among the peers");
const figures: Figure[] = [];
for (const name of models) {
  const data = join(folder, `${name}.json`);
  writeFileSync(data, JSON.stringify(dataOf(name)));
  const found = await measure(name, peers, data);
  figures.push(...found);
  const ours = median(found[0]!.us);
  console.log(`\n${name}\n`);
  console.log(
    table(
      ["", "µs, median", "least", "greatest", "ansatz / it", "compile s", "differs by"],
      found.map(({ peer, us, compileSeconds, disagreement: by }) => [
        peer,
        short(median(us)),
        short(Math.min(...us)),
        short(Math.max(...us)),
        short(ours / median(us)),
        short(compileSeconds),
        by === 0 ? "" : by.toExponential(0),
      ]),
    ),
  );
}
for (const peer of peers) peer.quit();
rmSync(folder, { recursive: true });
if (flags.json) {
  const about = Object.fromEntries(peers.map((peer) => [peer.name, peer.about]));
  writeFileSync(flags.json, `${JSON.stringify({ date: new Date().toISOString(), about, figures }, null, 2)}\n`);
}
