/** The systems that the model benchmarks compare, each a process that answers requests (peers/models/serving.py). */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type PeerCommand, PeerFailure, PeerProcess } from "../peers/process.ts";

const folder = fileURLToPath(new URL("../peers/models", import.meta.url));
const python = process.env["PEERS_PYTHON"] ?? "python3";

const inPython = (name: string, file: string, ...args: string[]): PeerCommand => ({
  name,
  command: python,
  args: [join(folder, file), ...args],
});
/** PyMC's BLAS takes ten to a thousand times as long with two threads as with one on matrices of these sizes where a core is busy. */
const oneThread = (command: PeerCommand): PeerCommand => ({ ...command, env: { OPENBLAS_NUM_THREADS: "1" } });
const inNode = (name: string, file: string, ...args: string[]): PeerCommand => ({
  name,
  command: process.execPath,
  args: ["--import", "tsx", join(folder, file), ...args],
});

/** The first is ours, which the ratios are about. */
export const peerCommands: readonly PeerCommand[] = [
  inNode("ansatz", "ansatz.ts"),
  inNode("ansatz-certified", "ansatz.ts", "certified"),
  inPython("numpyro", "in_numpyro.py"),
  inPython("numpyro-parallel", "in_numpyro.py", "parallel"),
  oneThread(inPython("pymc", "in_pymc.py")),
  oneThread(inPython("nutpie", "in_pymc.py", "nutpie")),
  oneThread(inPython("nutpie-bare", "in_pymc.py", "nutpie", "bare")),
  inPython("stan", "in_stan.py"),
  inPython("stan-bare", "in_stan.py", "bare"),
  inNode("jax-js", "jaxjs.ts"),
];

/** Those that are asked for by `--peers a,b`, all of `offered` without it. */
export function chosen(asked: string | undefined, offered: readonly string[]): PeerCommand[] {
  const names = asked?.split(",") ?? offered;
  const unknown = names.filter((name) => !offered.includes(name));
  if (unknown.length > 0) throw new Error(`no peer ${unknown.join(", ")} here; there are ${offered.join(", ")}`);
  return peerCommands.filter(({ name }) => names.includes(name));
}

export type Answered<T> = T & { readonly absent?: string };

export const ask = <T>(peer: PeerProcess, request: Readonly<Record<string, unknown>>): Promise<Answered<T>> =>
  peer.ask<Answered<T>>(JSON.stringify(request));

/** Starts the peers one after another; null for those that cannot run here, said on standard error. */
export async function startPeers(commands: readonly PeerCommand[]): Promise<PeerProcess[]> {
  const peers: PeerProcess[] = [];
  for (const command of commands) {
    const peer = await startPeer(command);
    if (peer) peers.push(peer);
  }
  return peers;
}

export async function startPeer(command: PeerCommand): Promise<PeerProcess | null> {
  try {
    return await PeerProcess.start(command);
  } catch (error) {
    if (!(error instanceof PeerFailure)) throw error;
    console.error(`skipped ${command.name}: ${error.message}`);
    return null;
  }
}

/** Another order in each round, so that each comes first, last and after each neighbour. */
export function turned<T>(items: readonly T[], round: number): T[] {
  const order = items.map((_, i) => items[(i + round) % items.length]!);
  return round % 2 === 1 ? order.reverse() : order;
}

export const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** A table in Markdown. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(heads), row(heads.map(() => "---")), ...rows.map(row)].join("\n");
}

/** Three significant digits. */
export const short = (x: number): string =>
  Number.isFinite(x) ? (x >= 1000 ? x.toFixed(0) : String(Number(x.toPrecision(3)))) : "";
