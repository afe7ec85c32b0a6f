/** What the JavaScript peers of the model benchmarks share; the requests are described in serving.py. */
import { createInterface } from "node:readline";
import type { BenchData, ModelName } from "../../models/definitions.ts";

export interface Request {
  readonly do: string;
  readonly model: ModelName;
  readonly data: string;
  readonly points: readonly (readonly number[])[];
  readonly milliseconds: number;
  readonly seed: number;
  readonly chains: number;
  readonly warmUp: number;
  readonly draws: number;
  readonly out: string;
  readonly method: string;
}

export type Answer = Readonly<Record<string, unknown>>;
export type Handlers = Readonly<Record<string, (request: Request) => Promise<Answer> | Answer>>;

export interface About {
  readonly peer: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly blas: string;
  /** How far gradients may differ, relatively, of a peer that computes in less than double precision. */
  readonly tolerance?: number;
}

/** Says who it is, then answers each line of standard input. */
export async function serve(about: About, handlers: Handlers): Promise<void> {
  console.log(JSON.stringify({ ...about, node: process.version }));
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request;
    const handler = handlers[request.do];
    let answer: Answer;
    try {
      answer = handler ? await handler(request) : { absent: `offers no ${request.do}` };
    } catch (error) {
      answer = { absent: (error as Error).message.split("\n")[0] };
    }
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

/** Microseconds of one call, over as many as fill the time. */
export async function microseconds(
  call: (point: Float64Array) => unknown,
  points: readonly Float64Array[],
  milliseconds: number,
): Promise<number> {
  const started = performance.now();
  let calls = 0;
  for (;;) {
    for (const point of points) {
      const result = call(point);
      if (result instanceof Promise) await result;
    }
    calls += points.length;
    const done = performance.now() - started;
    if (done >= milliseconds) return (1000 * done) / calls;
  }
}

export type { BenchData };
