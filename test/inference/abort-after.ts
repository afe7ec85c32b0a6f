import { expect } from "vitest";

/** A signal that is given when timers had their turn so many times, and what shows that a fit heard it soon. */
export function abortAfter(turnsBefore: number, reason?: Error) {
  const control = new AbortController();
  let turns = 0;
  let abortedAt = Number.POSITIVE_INFINITY;
  const timer = setInterval(() => {
    if (++turns < turnsBefore) return;
    abortedAt = Math.min(abortedAt, turns);
    control.abort(reason);
  }, 1);
  return {
    signal: control.signal,
    async expectHeard(fit: Promise<unknown>, message: string | RegExp): Promise<void> {
      await expect(fit).rejects.toThrow(message);
      clearInterval(timer);
      expect(turns).toBeLessThan(abortedAt + 5);
    },
  };
}
