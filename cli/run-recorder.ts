import { appendMetric, checkpoint, decodeSafetensors, type Fit, type VaeEvent } from "../src/node.ts";

/** Where a checkpoint stands. */
export interface CheckpointProgress {
  /** Training steps done. */
  readonly step: number;
  /** Seconds spent in them, over all sessions. */
  readonly seconds: number;
}

export function progressOf(state: Uint8Array, source: string): CheckpointProgress {
  const { progress } = decodeSafetensors(state, source).metadata;
  return progress === undefined ? { step: 0, seconds: 0 } : (JSON.parse(progress) as CheckpointProgress);
}

/**
 * Writes metrics and checkpoints while a fit runs, so that a kill at any moment costs the time since the last checkpoint and
 * nothing else. A line of metrics is written for every epoch: only what does not depend on the clock's slices is recorded.
 *
 * @param seconds  time between checkpoints; one is written besides after the last step and when the fit is stopped
 */
export function recordFit(directory: string, seconds: number): (event: VaeEvent, fit: Fit) => void {
  let last = performance.now();
  let stepsPerEpoch = 1;
  const save = (fit: Fit): void => {
    checkpoint(directory, fit.checkpoint());
    last = performance.now();
  };
  const isDue = (): boolean => performance.now() - last >= 1000 * seconds;
  return (event, fit) => {
    switch (event.kind) {
      case "start":
        stepsPerEpoch = Math.max(1, event.steps / Math.max(1, event.epochs));
        break;
      case "step":
        // After an epoch's last step its own event follows: saved in between, a resumed run would lack the epoch's line.
        if (event.step % stepsPerEpoch !== 0 && isDue()) save(fit);
        break;
      case "epoch":
        appendMetric(directory, { ...event });
        if (event.epoch === event.epochs || isDue()) save(fit);
        break;
      case "aborted":
      case "nonFinite":
        save(fit);
        break;
      case "collapsed":
      case "done":
        break;
    }
  };
}
