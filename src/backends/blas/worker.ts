import { Worker } from "node:worker_threads";
import type { HostWorker, WorkerEvents } from "../native.ts";

/**
 * Starts a thread that runs a script given as text, so that it runs from any build of the package. The script finds `data` and the
 * function `post` as variables.
 */
export function startWorker(script: string, data: unknown, events: WorkerEvents): HostWorker {
  const prelude = `const { parentPort, workerData: data } = require("node:worker_threads");
const post = (message) => parentPort.postMessage(message);
`;
  const worker = new Worker(prelude + script, { eval: true, workerData: data, execArgv: [], stdin: false });
  let stopped = false;
  worker.on("message", events.message);
  worker.on("error", (error) => events.failure(String(error?.message ?? error)));
  worker.on("exit", (code) => {
    if (!stopped && code !== 0) events.failure(`it ended with exit code ${code}`);
  });
  return {
    stop: () => {
      stopped = true;
      void worker.terminate();
    },
  };
}
