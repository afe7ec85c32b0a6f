import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { AnsatzError } from "../../base/errors.ts";
import { type Blas, FAILURE_WORD, type ThreadPool } from "../native.ts";

/** Words of the control block: a worker sleeps on GO until it changes, and then reads what to do. */
const [GO, COMMAND] = [0, 1];
/** A run's words: module, table, steps, ring, phase. */
const [RUN_FIRST, RUN_LAST] = [2, 6];
const [LOAD, RUN] = [1, 2];

/**
 * What a worker does, as text: it must run from any build of the package without a file of its own. It takes modules from its port,
 * runs its part when told, and calls BLAS through its own handle of the library that the process has loaded already.
 */
const WORKER = `
const { workerData, receiveMessageOnPort } = require("node:worker_threads");
const { control, memory, port, meeting, blas } = workerData;
const words = new Int32Array(control);
const runs = [];
let imports = {};
if (blas) {
  const koffi = require(blas.koffi);
  const library = koffi.load(blas.library);
  const { prefix, suffix, size } = blas.naming;
  const open = (name, types) => library.func(prefix + name + suffix, "void", types);
  const m = ["uintptr_t", size];
  const bind = (name, scalar) => {
    const gemm = open(name, ["int", "int", "int", size, size, size, scalar, ...m, ...m, scalar, ...m]);
    const base = blas.base;
    return (ta, tb, m, n, k, a, lda, b, ldb, c, ldc) => {
      if (m > 0 && n > 0) gemm(101, ta ? 112 : 111, tb ? 112 : 111, m, n, k, 1, base + (a >>> 0), lda, base + (b >>> 0), ldb, 0, base + (c >>> 0), ldc);
    };
  };
  imports = { gemm_f32: bind("cblas_sgemm", "float"), gemm_f64: bind("cblas_dgemm", "double") };
  if (blas.factorises) for (const [type, letter, scalar] of [["f32", "s", "float"], ["f64", "d", "double"]]) {
    const at = (address) => blas.base + (address >>> 0);
    const potrf = open(letter + "potrf_", ["str", size + " *", "uintptr_t", size + " *", "_Out_ " + size + " *"]);
    imports["potrf_" + type] = (n, a) => {
      const info = [0];
      potrf("U", [n], at(a), [n], info);
      return info[0];
    };
    const trsm = open("cblas_" + letter + "trsm", ["int", "int", "int", "int", "int", size, size, scalar, ...m, ...m]);
    imports["trsm_" + type] = (lower, transpose, n, k, t, x) => {
      trsm(101, 141, lower ? 122 : 121, transpose ? 112 : 111, 131, n, k, 1, at(t), n, at(x), k);
    };
  }
}
let seen = 0;
port.postMessage(null);
for (;;) {
  Atomics.wait(words, ${GO}, seen);
  seen = Atomics.load(words, ${GO});
  if (seen % 2) continue;
  try {
    // Modules first: the command to load one may have been overtaken by a run of another.
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
      const { id, module } = next.message;
      runs[id] = new WebAssembly.Instance(module, { env: { memory }, blas: imports }).exports.run;
      port.postMessage(null);
    }
    if (words[${COMMAND}] === ${RUN}) {
      // A command that was replaced while it was being read is not for this thread any more.
      const [module, table, steps, ring, phase] = words.slice(${RUN_FIRST}, ${RUN_LAST} + 1);
      if (Atomics.load(words, ${GO}) === seen) runs[module](table, steps, ring, phase);
    }
  } catch (error) {
    port.postMessage(String(error && error.message || error));
    if (words[${COMMAND}] === ${RUN}) Atomics.store(new Int32Array(memory.buffer), meeting / 4 + ${FAILURE_WORD}, 1);
  }
}`;

/** Threads that a runtime uses when none are asked for: ANSATZ_THREADS, or what the machine has, at most 8. */
export function defaultThreads(): number {
  const asked = Number(process.env.ANSATZ_THREADS);
  return Number.isInteger(asked) && asked >= 1 ? asked : Math.min(8, availableParallelism());
}

/**
 * Starts `size − 1` workers that share this memory. They sleep between runs and do not keep the process alive.
 *
 * @param meeting  address of MEETING_BYTES zero bytes that nothing else uses
 * @param size     how many threads in all, at most 200
 * @param blas     called by every part with one thread of its own; null for wasm alone
 */
export async function createThreads(
  memory: WebAssembly.Memory,
  meeting: number,
  size: number,
  blas: Blas | null,
): Promise<ThreadPool> {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const native = blas
    ? {
        koffi: koffiPath(),
        library: blas.library,
        naming: blas.naming,
        factorises: blas.factorises,
        base: await baseAddress(memory),
      }
    : null;
  blas?.setThreads(1);
  const ports: MessagePort[] = [];
  for (let i = 1; i < size; i++) {
    const { port1, port2 } = new MessageChannel();
    const workerData = { control: words.buffer, memory, port: port2, meeting, blas: native };
    const worker = new Worker(WORKER, { eval: true, workerData, transferList: [port2], execArgv: [], stdin: false });
    worker.unref();
    port1.unref();
    ports.push(port1);
  }
  const failed = (reason: string) =>
    new AnsatzError(`a worker thread failed: ${reason}. Set ANSATZ_THREADS=1 to do without.`);
  /** GO is odd while a command is being written, so that no worker takes half of one. */
  const command = (what: number, ...values: number[]) => {
    Atomics.add(words, GO, 1);
    words.set([what, ...values], COMMAND);
    Atomics.add(words, GO, 1);
    Atomics.notify(words, GO);
  };
  /** Resolves when every worker has answered: null when all went well, else what went wrong. */
  const answers = () =>
    Promise.all(
      ports.map(
        (port) =>
          new Promise<void>((resolve, reject) => {
            port.ref();
            port.once("message", (reason: string | null) => {
              port.unref();
              if (reason === null) resolve();
              else reject(failed(reason));
            });
          }),
      ),
    );
  // They start while their first module is still being made, whose loading tells of a start that failed.
  const started = answers();
  started.catch(() => undefined);

  let loaded = 0;
  let queue: Promise<unknown> = Promise.resolve();
  return {
    size,
    check: () => {
      for (const port of ports) {
        const answer = receiveMessageOnPort(port);
        if (answer?.message) throw failed(String(answer.message));
      }
    },
    load: (module) => {
      const id = loaded++;
      const done = Promise.all([started, queue]).then(() => {
        for (const port of ports) port.postMessage({ id, module });
        const answered = answers();
        command(LOAD);
        return answered;
      });
      queue = done.catch(() => undefined);
      return done.then(() => id);
    },
    start: (module, table, steps, ring) => {
      const phase = Atomics.load(new Int32Array(memory.buffer), meeting / 4) >>> 8;
      command(RUN, module, table, steps, ring, phase);
      return phase;
    },
  };
}

const koffiPath = (): string => createRequire(import.meta.url).resolve("koffi");

/** The address of a shared memory's first byte, which never moves: other threads may be using it. */
async function baseAddress(memory: WebAssembly.Memory): Promise<number> {
  const koffi = (await import("koffi")).default;
  return Number(koffi.address(new Uint8Array(memory.buffer)));
}
