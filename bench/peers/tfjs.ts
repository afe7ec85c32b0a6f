/**
 * TensorFlow.js in plain Node: its Wasm backend (SIMD; it turns its threads off in Node), variables, and
 * `tf.train.adam().minimize`. @tensorflow/tfjs-node would bring libtensorflow, which its install script downloads from
 * outside the npm registry; PEERS_TFJS=node uses it where it is installed, PEERS_TFJS=cpu the plain JavaScript backend.
 */
import {
  adam,
  batch,
  binaryImages,
  initialWeight,
  latent,
  layers,
  load,
  minibatches,
  pixels,
  serve,
} from "./protocol.ts";

interface TfTensor {
  add(other: TfTensor): TfTensor;
  sub(other: TfTensor): TfTensor;
  mul(other: TfTensor | number): TfTensor;
  div(other: number): TfTensor;
  matMul(other: TfTensor): TfTensor;
  tanh(): TfTensor;
  exp(): TfTensor;
  square(): TfTensor;
  softplus(): TfTensor;
  sum(): TfTensor;
  dataSync(): Float32Array;
  dispose(): void;
}
interface Tf {
  readonly version_core: string;
  tensor(values: Float32Array, shape: number[]): TfTensor;
  zeros(shape: number[]): TfTensor;
  variable(value: TfTensor): TfTensor;
  randomNormal(shape: number[]): TfTensor;
  tidy<T>(f: () => T): T;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  train: {
    adam(
      rate: number,
      beta1: number,
      beta2: number,
      epsilon: number,
    ): { minimize(f: () => TfTensor, returnCost: true): TfTensor };
  };
}

const flavour = process.env["PEERS_TFJS"] ?? "wasm";
const tf = load<Tf>(flavour === "node" ? "@tensorflow/tfjs-node" : "@tensorflow/tfjs");
if (flavour === "wasm") load<unknown>("@tensorflow/tfjs-backend-wasm");
await tf.setBackend(flavour === "node" ? "tensorflow" : flavour);
await tf.ready();

const weights = new Map<string, TfTensor>();
for (const [name, fanIn, fanOut] of layers) {
  weights.set(`${name}.weight`, tf.variable(tf.tensor(initialWeight(fanIn, fanOut), [fanIn, fanOut])));
  weights.set(`${name}.bias`, tf.variable(tf.zeros([fanOut])));
}
const dense = (name: string, value: TfTensor) =>
  value.matMul(weights.get(`${name}.weight`) as TfTensor).add(weights.get(`${name}.bias`) as TfTensor);

function negElbo(x: TfTensor): TfTensor {
  const features = dense("encoder", x).tanh();
  const mean = dense("mean", features);
  const logSd = dense("logSd", features);
  const sd = logSd.exp();
  const z = mean.add(sd.mul(tf.randomNormal([batch, latent])));
  const logits = dense("logits", dense("decoder", z).tanh());
  const distortion = logits.softplus().sub(x.mul(logits)).sum();
  const rate = mean.square().add(sd.square()).mul(0.5).sub(logSd).sum();
  return distortion.add(rate).div(batch);
}

const optimizer = tf.train.adam(adam.learningRate, adam.beta1, adam.beta2, adam.epsilon);
const nextBatch = minibatches(binaryImages());

await serve(
  { peer: "tfjs", versions: { "@tensorflow/tfjs": tf.version_core }, threads: 1, blas: `its own, backend ${flavour}` },
  () => {
    const cost = tf.tidy(() => {
      const x = tf.tensor(nextBatch(), [batch, pixels]);
      return optimizer.minimize(() => negElbo(x), true);
    });
    const value = cost.dataSync()[0] as number;
    cost.dispose();
    return value - latent / 2;
  },
);
