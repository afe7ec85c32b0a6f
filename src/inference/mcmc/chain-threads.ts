import { AnsatzError } from "../../base/errors.ts";
import type { PortableDensity } from "../log-density.ts";
import { type ChainOptions, type ChainProgress, type ChainResult, firstDraws } from "./chain.ts";
import type { ChainMessage, ChainWork, PostedChain } from "./chain-worker.ts";
import { metricFrom } from "./metric.ts";

export interface ThreadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: ChainProgress) => void;
  /** Threads; each runs every so manieth chain. */
  readonly threads: number;
}

/**
 * Runs chains on threads of their own, each with a copy of the density's memory. The draws are those of `startChain` on this
 * thread, bit for bit. An abort ends the chains where they are: their results have the draws made until then.
 *
 * @throws OptionError where there are no threads to be had (a page); AnsatzError when one fails
 */
export async function chainsOnThreads(
  density: PortableDensity,
  chains: readonly ChainOptions[],
  options: ThreadOptions,
): Promise<ChainResult[]> {
  const { startWorker } = await import("ansatz/blas");
  const { chainWorkerScript } = await import("./chain-worker-script.ts");
  const { signal, onProgress, threads } = options;
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const abort = () => void Atomics.store(stop, 0, 1);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  const parts = Array.from({ length: Math.min(threads, chains.length) }, (_, part) =>
    chains.filter((_, i) => i % threads === part),
  );
  const workers: { stop(): void }[] = [];
  const run = (part: ChainOptions[]) =>
    new Promise<readonly PostedChain[]>((resolve, reject) => {
      const work: ChainWork = { density, chains: part, stop };
      workers.push(
        startWorker(chainWorkerScript, work, {
          message: (value) => {
            const message = value as ChainMessage;
            if (message.kind === "progress") onProgress?.(message.event);
            else if (message.kind === "chains") resolve(message.chains);
            else reject(new AnsatzError(`a chain on a thread of its own failed: ${message.name}: ${message.message}`));
          },
          failure: (reason) => reject(new AnsatzError(`a thread that ran chains failed: ${reason}`)),
        }),
      );
    });
  try {
    // A failure ends the others too, and of several the first chain's is told, whichever came first.
    const ends = await Promise.allSettled(
      parts.map((part) =>
        run(part).catch((error) => {
          abort();
          throw error;
        }),
      ),
    );
    const posted = ends.flatMap((end) => {
      if (end.status === "rejected") throw end.reason;
      return end.value;
    });
    return posted.map(revived).sort((a, b) => a.chain - b.chain);
  } finally {
    signal?.removeEventListener("abort", abort);
    for (const worker of workers) worker.stop();
  }
}

const revived = (posted: PostedChain): ChainResult =>
  firstDraws({ ...posted, metric: metricFrom(posted.metric, posted.dim) }, posted.count);
