import type { InferenceEvent } from "../src/index.ts";

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const CLEAR = "\r\u001b[K";
const BAR = 24;

/** What a fit shows on a terminal: a line for each method that was tried, and a live one while chains run. Elsewhere nothing. */
export function fitProgress(stream: Stream): { update(event: InferenceEvent): void; done(): void } {
  const live = stream.isTTY ?? false;
  const chains = new Map<number, { done: number; total: number; divergences: number; warmingUp: boolean }>();
  let drawn = 0;
  let shown = false;
  const draw = (text: string) => {
    stream.write(`${CLEAR}${text.slice(0, (stream.columns || 80) - 1)}`);
    shown = true;
  };
  const clear = () => {
    if (shown) stream.write(CLEAR);
    shown = false;
  };
  return {
    update(event) {
      if (!live) return;
      if (event.kind === "attempt") {
        chains.clear();
        draw(`${event.method} …`);
      } else if (event.kind === "attempted") {
        clear();
        stream.write(`${event.trusted ? "✓" : "·"} ${event.method} (${event.seconds.toFixed(2)} s): ${event.reason}\n`);
      } else if (event.kind === "chain") {
        chains.set(event.chain, event);
        if (performance.now() - drawn < 100) return;
        drawn = performance.now();
        const all = [...chains.values()];
        const done = all.reduce((n, c) => n + c.done, 0) / all.reduce((n, c) => n + c.total, 0);
        const filled = Math.round(done * BAR);
        const lost = all.reduce((n, c) => n + c.divergences, 0);
        const stage = all.every((c) => c.warmingUp) ? "warm-up" : "sampling";
        draw(
          `[${"#".repeat(filled)}${"-".repeat(BAR - filled)}] ${all.length} chains, ${stage}${lost ? `, ${lost} divergent` : ""}`,
        );
      }
    },
    done: clear,
  };
}
