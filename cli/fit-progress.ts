import type { InferenceEvent } from "../src/index.ts";
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
  const columns = () => Math.max(20, (stream.columns || 80) - 1); // a full last column makes terminals wrap
  const draw = (text: string) => {
    if (!isLive) return;
    stream.write(`${CLEAR}${text.slice(0, columns())}`);
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
  const isTime = () => {
    if (now() - drawn < millisecondsBetweenDraws) return false;
    drawn = now();
    return true;
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
        // One line each: the last reason stands in the result, and all of them in the report.
        line(event.trusted ? head : shortened(`${head}: ${event.reason}`, columns()));
      } else if (event.kind === "progress" && isTime()) {
        draw(shortened(`${method} … step ${event.step}`, columns()));
      } else if (event.kind === "sweep" && isTime()) {
        const within =
          event.of > 1 ? `epoch ${event.sweep}, step ${event.step} of ${event.of}` : `sweep ${event.sweep}`;
        draw(shortened(`${method} … ${within}, bound ${event.elbo.toPrecision(8)}`, columns()));
      } else if (event.kind === "chain") {
        chains.set(event.chain, event);
        if (!isTime()) return;
        draw(chainsText(method, [...chains.values()], (now() - since) / 1000, columns()));
      }
    },
    interrupted() {
      if (isTerminal) line("Stopping: what was drawn is kept. Ctrl-C again ends at once.");
    },
    done: clear,
  };
}

const unknowns = (dim: number): string => (dim === 1 ? "1 unknown" : `${dim} unknowns`);

const shortened = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 2).trimEnd()} …`;

/** `nuts [######------] sampling, 4 chains, 12 divergent, 00:12 left`; what does not fit is left out, the chains first. */
function chainsText(method: string, chains: readonly ChainState[], seconds: number, columns: number): string {
  const sum = (of: (chain: ChainState) => number) => chains.reduce((n, chain) => n + of(chain), 0);
  const share = sum((c) => c.done) / sum((c) => c.total);
  const filled = Math.round(share * BAR);
  const lost = sum((c) => c.divergences);
  const stage = chains.every((c) => c.warmingUp) ? "warming up" : "sampling";
  const bar = `${method} [${"#".repeat(filled)}${"-".repeat(BAR - filled)}] ${stage}`;
  const count = `${chains.length} chain${chains.length === 1 ? "" : "s"}`;
  const divergent = lost ? `${lost} divergent` : "";
  const left = share > 0.02 ? `${formatTimeLeft((seconds * (1 - share)) / share)} left` : "";
  const forms = [[bar, count, divergent, left], [bar, divergent, left], [bar, left], [bar]];
  const texts = forms.map((pieces) => pieces.filter(Boolean).join(", "));
  return texts.find((text) => text.length <= columns) ?? bar;
}
