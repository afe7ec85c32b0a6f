/** A running peer as the driver sees it: started, asked for steps, ended. The protocol is described in protocol.ts. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface PeerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a peer says of itself before it serves: at least these, and whatever else it finds worth recording. */
export interface PeerAbout {
  readonly peer: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly blas: string;
  readonly [more: string]: unknown;
}

/** Milliseconds per step; further series (gemmMs, passMs) come from the peers that have parts. */
export interface Block {
  readonly ms: readonly number[];
  readonly negElbo?: number | null;
  readonly [series: string]: unknown;
}

export class PeerFailure extends Error {}

/** Kernel clock ticks per second: 100 on every Linux that Node supports. */
const ticksPerSecond = 100;

export class PeerProcess {
  readonly name: string;
  readonly about: PeerAbout;
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #failure: () => string;

  private constructor(
    name: string,
    about: PeerAbout,
    child: ChildProcess,
    lines: AsyncIterator<string>,
    failure: () => string,
  ) {
    this.name = name;
    this.about = about;
    this.#child = child;
    this.#answers = lines;
    this.#failure = failure;
  }

  /**
   * Starts a peer and waits until it has warmed up.
   *
   * @throws PeerFailure when it ends before it is ready, with the last line of its standard error
   */
  static async start(peer: PeerCommand): Promise<PeerProcess> {
    const child = spawn(peer.command, peer.args, {
      env: { ...process.env, ...peer.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4000);
    });
    child.on("error", (error) => {
      errors += error.message;
    });
    child.stdin.on("error", () => {}); // a peer that died is reported by its missing answer
    const reason = () => lastError(errors) ?? `ended with code ${child.exitCode}`;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const about = await nextJson<PeerAbout>(lines, reason);
    return new PeerProcess(peer.name, about, child, lines, reason);
  }

  /** Runs steps. @throws PeerFailure when the peer ends instead of answering */
  async run(steps: number): Promise<Block> {
    return this.ask<Block>(`run ${steps}`);
  }

  /** Sends a line and waits for the JSON object that answers it. @throws PeerFailure when the peer ends instead of answering */
  async ask<T>(line: string): Promise<T> {
    this.#child.stdin?.write(`${line}\n`);
    return nextJson<T>(this.#answers, this.#failure);
  }

  /** Processor time used so far by all its threads, in seconds; undefined where the system does not tell (no /proc). */
  processorSeconds(): number | undefined {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    } catch {
      return undefined;
    }
  }

  quit(): void {
    this.#child.stdin?.end("quit\n");
  }
}

async function nextJson<T>(lines: AsyncIterator<string>, failure: () => string): Promise<T> {
  for (;;) {
    const { done, value } = await lines.next();
    if (done) {
      await new Promise((resolve) => setTimeout(resolve, 50)); // let standard error and the exit code arrive
      throw new PeerFailure(failure());
    }
    if (value.startsWith("{")) return JSON.parse(value) as T; // some libraries greet on standard output
  }
}

/** The line that names the error: in Python the last one, in Node the one with "Error". */
function lastError(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.findLast((line) => /^\w*(Error|Exception)\b/.test(line.trim())) ?? lines.at(-1);
}
