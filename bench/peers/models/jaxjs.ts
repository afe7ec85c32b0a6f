/**
 * jax-js on its Wasm device, in f64: log density and gradient as one jitted function, and each result read back. Its arrays are
 * reference counted: a use consumes one, `.ref` adds one. Gradients alone: it has no samplers of its own.
 */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { load, versionOf } from "../protocol.ts";
import { microseconds, type Request, serve } from "./serving.ts";

interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  neg(): JaxArray;
  sum(): JaxArray;
  slice(...index: (number | readonly [number, number])[]): JaxArray;
  reshape(shape: number[]): JaxArray;
  dataSync(): Float64Array;
}
interface JaxJs {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): string;
  jit<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R;
  valueAndGrad<A extends unknown[]>(f: (...args: A) => JaxArray): (...args: A) => [JaxArray, A[0]];
  nn: { softplus(x: JaxArray): JaxArray };
  lax: {
    linalg: {
      cholesky(a: JaxArray): JaxArray;
      triangularSolve(a: JaxArray, b: JaxArray, options: { leftSide: boolean; lower: boolean }): JaxArray;
    };
  };
  numpy: {
    float64: unknown;
    array(values: ArrayLike<number>, options?: { shape?: number[]; dtype?: unknown }): JaxArray;
    eye(rows: number, columns: number, options: { dtype: unknown }): JaxArray;
    matmul(x: JaxArray, y: JaxArray): JaxArray;
    diagonal(x: JaxArray): JaxArray;
    exp(x: JaxArray): JaxArray;
    log(x: JaxArray): JaxArray;
    log1p(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
  };
}

setFlagsFromString("--experimental-wasm-relaxed-simd");
// Node 20 has no half precision, which jax-js asks `instanceof` of; none is used here.
(globalThis as Record<string, unknown>)["Float16Array"] ??= class Float16Array {};
const jax = load<JaxJs>("@jax-js/jax");
const { numpy: np, nn, lax } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

type Data = Readonly<Record<string, number | number[] | number[][]>>;
const f64 = (values: ArrayLike<number>, shape = [values.length]): JaxArray =>
  np.array(Float64Array.from(values), { dtype: np.float64 }).reshape(shape);
const vector = (data: Data, name: string) => f64(data[name] as number[]);
/** −½ Σ (x / sd)², the rest of a normal density being constant. */
const normalTerm = (x: JaxArray, sd: number) => np.square(x.div(sd)).sum().mul(-0.5);

/** u -> log density, up to a constant, with its data closed over. */
const densities: Readonly<Record<string, (data: Data) => { dim: number; logDensity(u: JaxArray): JaxArray }>> = {
  "eight-schools": (data) => {
    const [y, sigma] = [vector(data, "y"), vector(data, "sigma")];
    return {
      dim: 10,
      logDensity(u) {
        const mu = u.ref.slice(0);
        const logTau = u.ref.slice(1);
        const t = u.slice([2, 10]);
        const tau = np.exp(logTau.ref);
        const theta = mu.ref.add(tau.ref.mul(t.ref));
        const prior = normalTerm(mu, 5)
          .add(normalTerm(t, 1))
          .sub(np.log1p(np.square(tau.div(5))));
        return prior.add(logTau).add(normalTerm(y.ref.sub(theta).div(sigma.ref), 1));
      },
    };
  },
  logistic: (data) => {
    const [rows, columns] = [data["N"] as number, data["D"] as number];
    const x = f64((data["x"] as number[][]).flat(), [rows, columns]);
    const y = vector(data, "y");
    return {
      dim: columns + 1,
      logDensity(u) {
        const alpha = u.ref.slice(0);
        const beta = u.slice([1, columns + 1]);
        const logits = np.matmul(x.ref, beta.ref).add(alpha.ref);
        const likelihood = y.ref.mul(logits.ref).sub(nn.softplus(logits)).sum();
        return likelihood.add(normalTerm(alpha, 5)).add(normalTerm(beta, 1));
      },
    };
  },
  gp: process,
  gp200: process,
};

function process(data: Data) {
  const n = data["N"] as number;
  const at = data["x"] as number[];
  const squares = f64(
    at.flatMap((a) => at.map((b) => (a - b) ** 2)),
    [n, n],
  );
  const y = f64(data["y"] as number[], [n, 1]);
  const eye = np.eye(n, n, { dtype: np.float64 });
  return {
    dim: 3,
    logDensity(u: JaxArray) {
      const logs = [0, 1, 2].map((i) => u.ref.slice(i));
      const [rho, alpha, sigma] = [0, 1, 2].map((i) => np.exp(logs[i]!.ref)) as [JaxArray, JaxArray, JaxArray];
      const kernel = np.exp(squares.ref.div(np.square(rho.ref)).mul(-0.5)).mul(np.square(alpha.ref));
      const factor = lax.linalg.cholesky(kernel.add(eye.ref.mul(sigma.ref)));
      const white = lax.linalg.triangularSolve(factor.ref, y.ref, { leftSide: true, lower: true });
      const likelihood = np
        .square(white)
        .sum()
        .mul(-0.5)
        .sub(np.log(np.diagonal(factor)).sum());
      // Gamma(25, 4) on rho with its Jacobian: 25 log rho − 4 rho; half-normals on the others.
      const prior = logs[0]!.mul(25).sub(rho.mul(4)).add(normalTerm(alpha, 2)).add(normalTerm(sigma, 1));
      u.sum(); // uses up the last reference
      return likelihood.add(prior).add(logs[1]!).add(logs[2]!);
    },
  };
}

let call: (u: Float64Array) => { value: number; gradient: Float64Array };

await serve(
  {
    peer: "jax-js",
    versions: { "@jax-js/jax": versionOf("@jax-js/jax") },
    threads: 1,
    blas: "its own Wasm kernels",
    tolerance: 1e-4,
  }, // its exp and log have about 7 digits
  {
    prepare({ model, data }: Request) {
      const make = densities[model];
      if (!make) return { absent: "not written for jax-js" };
      const { dim, logDensity } = make(JSON.parse(readFileSync(data, "utf8")) as Data);
      const started = performance.now();
      const reading = (f: (u: JaxArray) => [JaxArray, JaxArray]) => (u: Float64Array) => {
        const [value, gradient] = f(f64(u));
        return { value: value.dataSync()[0]!, gradient: gradient.dataSync() };
      };
      const both = jax.valueAndGrad(logDensity);
      call = reading(jax.jit(both));
      try {
        call(new Float64Array(dim));
      } catch {
        // Its jit does not take the gradient of a triangular solve (0.1.25); op by op it works.
        call = reading(both);
      }
      return { seconds: (performance.now() - started) / 1000 };
    },
    density({ points }: Request) {
      const found = points.map((u) => call(Float64Array.from(u)));
      return { values: found.map(({ value }) => value), gradients: found.map(({ gradient }) => [...gradient]) };
    },
    async time({ points, milliseconds }: Request) {
      const at = points.map((u) => Float64Array.from(u));
      return { us: await microseconds(call, at, milliseconds) };
    },
  },
);
