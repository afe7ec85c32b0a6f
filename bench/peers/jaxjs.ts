/**
 * jax-js: one jitted step (bound, gradient, Adam), on its Wasm device, the one it has in Node. It uses relaxed
 * multiply-adds where the engine has them, so the flag is set before it loads; it is single-threaded in Node, which
 * has no global Worker. Its arrays are reference counted: a use consumes one, `.ref` adds one.
 */
import { setFlagsFromString } from "node:v8";
import {
  adam,
  batch,
  binaryImages,
  initialWeight,
  latent,
  layers,
  load,
  minibatches,
  serve,
  versionOf,
} from "./protocol.ts";

interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  sum(): JaxArray;
  slice(index: number): JaxArray;
  reshape(shape: number[]): JaxArray;
  data(): Promise<Float32Array>;
}
type Weights = Record<string, JaxArray>;
interface State {
  weights: Weights;
  first: Weights;
  second: Weights;
  count: JaxArray;
  key: JaxArray;
}
interface JaxJs {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): string;
  jit<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R;
  valueAndGrad<A extends unknown[]>(f: (...args: A) => JaxArray): (...args: A) => [JaxArray, A[0]];
  blockUntilReady(tree: unknown): Promise<unknown>;
  nn: { softplus(x: JaxArray): JaxArray };
  random: {
    key(seed: number): JaxArray;
    split(key: JaxArray, count: number): JaxArray;
    normal(key: JaxArray, shape: number[]): JaxArray;
  };
  numpy: {
    array(values: Float32Array, options?: { shape?: number[] }): JaxArray;
    zeros(shape: number[]): JaxArray;
    matmul(x: JaxArray, y: JaxArray): JaxArray;
    tanh(x: JaxArray): JaxArray;
    exp(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
  };
}

setFlagsFromString("--experimental-wasm-relaxed-simd");
const jax = load<JaxJs>("@jax-js/jax");
const { numpy: np, nn, random } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

function negElbo(weights: Weights, x: JaxArray, noise: JaxArray): JaxArray {
  const of = (name: string) => weights[name] as JaxArray;
  const dense = (name: string, value: JaxArray) => np.matmul(value, of(`${name}.weight`)).add(of(`${name}.bias`));
  const features = np.tanh(dense("encoder", x.ref));
  const mean = dense("mean", features.ref);
  const logSd = dense("logSd", features);
  const sd = np.exp(logSd.ref);
  const z = mean.ref.add(sd.ref.mul(noise));
  const logits = dense("logits", np.tanh(dense("decoder", z)));
  const distortion = nn.softplus(logits.ref).sub(x.mul(logits)).sum();
  const rate = np.square(mean).add(np.square(sd)).sub(1).mul(0.5).sub(logSd).sum();
  return distortion.add(rate).div(batch);
}

const train = jax.jit((state: State, x: JaxArray): [State, JaxArray] => {
  const keys = random.split(state.key, 2);
  const noise = random.normal(keys.ref.slice(0), [batch, latent]);
  const names = Object.keys(state.weights);
  const held = Object.fromEntries(names.map((name) => [name, (state.weights[name] as JaxArray).ref]));
  const [value, gradients] = jax.valueAndGrad(negElbo)(held, x, noise);
  const count = state.count.add(1);
  const correction = (beta: number) =>
    np
      .exp(count.ref.mul(Math.log(beta)))
      .mul(-1)
      .add(1);
  const correction1 = correction(adam.beta1);
  const correction2 = correction(adam.beta2);
  const next: State = { weights: {}, first: {}, second: {}, count, key: keys.slice(1) };
  for (const name of names) {
    const gradient = gradients[name] as JaxArray;
    const first = (state.first[name] as JaxArray).mul(adam.beta1).add(gradient.ref.mul(1 - adam.beta1));
    const second = (state.second[name] as JaxArray).mul(adam.beta2).add(np.square(gradient).mul(1 - adam.beta2));
    const scale = np.sqrt(second.ref.div(correction2.ref)).add(adam.epsilon);
    const change = first.ref.div(correction1.ref).mul(adam.learningRate).div(scale);
    next.weights[name] = (state.weights[name] as JaxArray).sub(change);
    next.first[name] = first;
    next.second[name] = second;
  }
  return [next, value];
});

function initialState(): State {
  const shapes = layers.flatMap(([name, fanIn, fanOut]): [string, number[]][] => [
    [`${name}.weight`, [fanIn, fanOut]],
    [`${name}.bias`, [fanOut]],
  ]);
  const zeros = () => Object.fromEntries(shapes.map(([name, shape]) => [name, np.zeros(shape)]));
  const weights = zeros();
  for (const [name, fanIn, fanOut] of layers) {
    weights[`${name}.weight`] = np.array(initialWeight(fanIn, fanOut)).reshape([fanIn, fanOut]);
  }
  return { weights, first: zeros(), second: zeros(), count: np.zeros([]), key: random.key(0) };
}

let state = initialState();
const nextBatch = minibatches(binaryImages());

await serve(
  { peer: "jax-js", versions: { "@jax-js/jax": versionOf("@jax-js/jax") }, threads: 1, blas: "its own Wasm kernels" },
  async () => {
    const x = np.array(nextBatch()).reshape([batch, 784]);
    const [next, value] = train(state, x);
    state = next;
    await jax.blockUntilReady(state);
    return (await value.data())[0] as number;
  },
);
