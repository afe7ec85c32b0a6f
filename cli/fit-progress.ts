import type { InferenceEvent } from "../src/index.ts";
import { wrapped } from "./output.ts";
import { formatTimeLeft } from "./progress.ts";

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a fit shows on a terminal: a line for each method that was tried, and a live one meanwhile. Elsewhere nothing. */
export interface FitProgress {
  update(event: InferenceEvent): void;
  /** Says that the first Ctrl-C was heard. */
  interrupted(): void;
  /** Takes the live line away. */
  done(): void;
}

const CLEAR = "\r\u001b[K";
const BAR = 24;
const millisecondsBetweenDraws = 100;

interface ChainState {
  readonly done: number;
  readonly total: number;
  readonly divergences: number;
  readonly warmingUp: boolean;
}

export function fitProgress(stream: Stream, now: () => number = () => performance.now()): FitProgress {
  const isTerminal = stream.isTTY ?? false;
  const isLive = isTerminal && process.env.TERM !== "dumb";
  const chains = new Map<number, ChainState>();
  let method = "";
  let since = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  let shown = false;
  const draw = (text: string) => {
    if (!isLive) return;
    stream.write(`${CLEAR}${text.slice(0, (stream.columns || 80) - 1)}`);
    shown = true;
  };
  const clear = () => {
    if (shown) stream.write(CLEAR);
    shown = false;
  };
  const line = (text: string) => {
    clear();
    stream.write(`${text}\n`);
  };
  return {
    update(event) {
      if (!isTerminal) return;
      if (event.kind === "start") line(`${unknowns(event.dim)}, compiled in ${event.seconds.toFixed(2)} s`);
      else if (event.kind === "attempt") {
        method = event.method;
        since = now();
        chains.clear();
        draw(`${method} …`);
      } else if (event.kind === "attempted") {
        const head = `${event.trusted ? "✓" : "✗"} ${event.method}, ${event.seconds.toFixed(2)} s`;
        // The reason of the last one stands in the result.
        line(event.trusted ? head : wrapped(`${head}: ${event.reason}`).replaceAll("\n", "\n  "));
      } else if (event.kind === "chain") {
        chains.set(event.chain, event);
        if (now() - drawn < millisecondsBetweenDraws) return;
        drawn = now();
        draw(chainsText(method, [...chains.values()], (now() - since) / 1000));
      }
    },
    interrupted() {
      if (isTerminal) line("Stopping: what was drawn is kept. Ctrl-C again ends at once.");
    },
    done: clear,
  };
}

const unknowns = (dim: number): string => (dim === 1 ? "1 unknown" : `${dim} unknowns`);

/** `nuts [######------] sampling, 4 chains, 12 divergent, 00:12 left` */
function chainsText(method: string, chains: readonly ChainState[], seconds: number): string {
  const sum = (of: (chain: ChainState) => number) => chains.reduce((n, chain) => n + of(chain), 0);
  const share = sum((c) => c.done) / sum((c) => c.total);
  const filled = Math.round(share * BAR);
  const lost = sum((c) => c.divergences);
  const left = share > 0.02 ? `${formatTimeLeft((seconds * (1 - share)) / share)} left` : "";
  const pieces = [
    `${method} [${"#".repeat(filled)}${"-".repeat(BAR - filled)}] ${chains.every((c) => c.warmingUp) ? "warming up" : "sampling"}`,
    `${chains.length} chain${chains.length === 1 ? "" : "s"}`,
    lost ? `${lost} divergent` : "",
    left,
  ];
  return pieces.filter(Boolean).join(", ");
}
