/** A call does not keep the host from its turn for longer, in milliseconds. */
export const SLICE_MS = 50;

/** When the host last had its turn: work too short to be sliced must not starve it when there is much of it. */
let lastTurn = 0;

/** Whether the host has waited for its turn long enough. */
export const hostWaits = (): boolean => performance.now() - lastTurn > SLICE_MS;

/** Lets signals, timers and painting have their turn. */
export const hostTurn = async (): Promise<void> => {
  await new Promise<void>((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    }
  });
  lastTurn = performance.now();
};
