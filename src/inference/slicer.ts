import { hostTurn, hostWaits } from "../base/host-turn.ts";

/** A pause for the host where some time has passed since its last turn; throws where the signal was given. */
export type Slice = () => Promise<void>;

export function slicer(signal: AbortSignal | undefined): Slice {
  return async () => {
    signal?.throwIfAborted();
    if (!hostWaits()) return;
    await hostTurn();
    signal?.throwIfAborted();
  };
}
