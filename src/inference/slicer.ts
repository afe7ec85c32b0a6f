import { hostTurn } from "../base/host-turn.ts";

/** A call does not block the host for longer. */
const SLICE_MS = 50;

/** A pause for the host where some time has passed since the last; throws where the signal was given. */
export type Slice = () => Promise<void>;

export function slicer(signal: AbortSignal | undefined): Slice {
  let turn = performance.now();
  return async () => {
    signal?.throwIfAborted();
    if (performance.now() - turn < SLICE_MS) return;
    await hostTurn();
    signal?.throwIfAborted();
    turn = performance.now();
  };
}
