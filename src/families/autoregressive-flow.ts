import { OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { iota, rem } from "../tensor/functions.ts";
import { scan } from "../tensor/scan.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { part, scaledHead, standardLogProb, type VariationalFamily } from "./variational-family.ts";

export interface AutoregressiveFlowOptions {
  /** `inverse`: draws cost one pass and densities elsewhere dim passes; `masked`: the other way round. Default `inverse`. */
  readonly direction?: "inverse" | "masked";
  /** Layers, each in the reverse order of coordinates of the one before. Default 2. */
  readonly layers?: number;
  /** Width of each layer's network. Default 32. */
  readonly hidden?: number;
}

/** Numbers of one layer: input weights and biases, then weights and biases of shift and of log scale. */
const layerSize = (dim: number, hidden: number): number => dim * hidden + hidden + 2 * (hidden * dim + dim);

/**
 * shift and logScale of each coordinate as functions of those before it: a network of one hidden layer with masked weights (MADE:
 * Germain, Gregor, Murray and Larochelle 2015). Unit h has degree 1 + h mod (dim − 1); it sees coordinates of at most its degree,
 * and is seen by those of a greater one.
 */
function conditioner(params: Tensor, offset: number, dim: number, hidden: number, reversed: boolean) {
  const row = (axis: 0 | 1, shape: readonly number[]) => {
    const place = iota(params, shape, axis, "f64");
    return reversed ? place.neg().add(dim) : place.add(1);
  };
  const unit = (axis: 0 | 1, shape: readonly number[]) =>
    rem(iota(params, shape, axis), dim - 1)
      .cast("f64")
      .add(1);
  const seen = unit(1, [dim, hidden])
    .ge(row(0, [dim, hidden]))
    .cast("f64");
  const seeing = row(1, [hidden, dim])
    .gt(unit(0, [hidden, dim]))
    .cast("f64");
  let at = offset;
  const take = (...shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    at += size;
    return part(params, at - size, size).reshape(shape);
  };
  const [w, b] = [take(dim, hidden).mul(seen), take(hidden)];
  const [wShift, bShift] = [take(hidden, dim).mul(seeing), take(dim)];
  const [wScale, bScale] = [take(hidden, dim).mul(seeing), take(dim)];
  return (x: Tensor) => {
    const h = x.matmul(w).add(b).tanh();
    // Log scales lie within ±2, as in the coupling flow.
    return { shift: h.matmul(wShift).add(bShift), logScale: h.matmul(wScale).add(bScale).mul(0.5).tanh().mul(2) };
  };
}

type Conditioner = ReturnType<typeof conditioner>;

/** u e^{s(u)} + t(u), and Σ s(u): one pass. */
function forward(network: Conditioner, u: Tensor): { v: Tensor; logDeterminant: Tensor } {
  const { shift, logScale } = network(u);
  return { v: u.mul(logScale.exp()).add(shift), logDeterminant: logScale.sum(1) };
}

/** The u with u e^{s(u)} + t(u) = v: after k passes the first k coordinates are right, whatever the others were. */
function backward(network: Conditioner, v: Tensor): { u: Tensor; logDeterminant: Tensor } {
  const { carry } = scan({ carry: v, length: v.shape[1]! }, (u) => {
    const { shift, logScale } = network(u);
    return { carry: v.sub(shift).mul(logScale.neg().exp()) };
  });
  return { u: carry, logDeterminant: network(carry).logScale.sum(1) };
}

// inverse (Kingma et al. 2016): x = z e^{s(z)} + t(z)        masked (Papamakarios et al. 2017): z = (x − t(x)) e^{−s(x)}
// x = mean + e^{logSd} ∘ (…) at the end        parameters: mean, log sd, then the layers'
/**
 * An autoregressive flow: each coordinate is shifted and scaled given those before it.
 *
 * @throws OptionError in one dimension, where nothing comes before
 */
export function autoregressiveFlow(dim: number, options: AutoregressiveFlowOptions = {}): VariationalFamily {
  const { direction = "inverse", layers = 2, hidden = 32 } = options;
  if (dim < 2) throw new OptionError("autoregressiveFlow needs two coordinates or more: with one use meanField");
  if (!(Number.isInteger(layers) && layers >= 1))
    throw new OptionError(`autoregressiveFlow takes a number of layers from 1 on, not ${layers}`);
  const each = layerSize(dim, hidden);
  const networks = (params: Tensor) =>
    Array.from({ length: layers }, (_, i) => conditioner(params, 2 * dim + i * each, dim, hidden, i % 2 === 1));
  const logSd = (params: Tensor) => part(params, dim, dim);
  const outer = (params: Tensor, z: Tensor) => z.mul(logSd(params).exp()).add(part(params, 0, dim));

  const drawWithLogProb = (params: Tensor, noise: Tensor) => {
    let z = noise;
    let logProb = standardLogProb(noise).sub(logSd(params).sum());
    for (const network of networks(params)) {
      if (direction === "inverse") {
        const { v, logDeterminant } = forward(network, z);
        z = v;
        logProb = logProb.sub(logDeterminant);
      } else {
        // Here the network sees the result: x = z e^{s(x)} + t(x).
        const { carry } = scan({ carry: z, length: dim }, (x) => {
          const { shift, logScale } = network(x);
          return { carry: z.mul(logScale.exp()).add(shift) };
        });
        logProb = logProb.sub(network(carry).logScale.sum(1));
        z = carry;
      }
    }
    return { x: outer(params, z), logProb };
  };
  return {
    name: direction === "inverse" ? "inverse-autoregressive-flow" : "masked-autoregressive-flow",
    dim,
    size: 2 * dim + layers * each,
    noiseSize: dim,
    strata: 1,
    closedUnder: "affine",
    learningRate: 0.01,
    initial: (mean, scale, seed) => {
      const params = new Float64Array(2 * dim + layers * each);
      params.set(mean);
      params.set(scale.map(Math.log), dim);
      const generator = new Generator(seed, "autoregressive flow");
      const reach = Math.sqrt(6 / (dim + hidden));
      for (let i = 0; i < layers; i++) {
        const at = 2 * dim + i * each;
        for (let k = 0; k < dim * hidden; k++) params[at + k] = reach * (2 * generator.uniform() - 1);
        // Without biases the units are odd functions, and a target that is even has no gradient in the heads.
        for (let k = dim * hidden; k < (dim + 1) * hidden; k++) params[at + k] = 2 * generator.uniform() - 1;
      }
      return params;
    },
    draw: (params, noise) => drawWithLogProb(params, noise).x,
    logShares: null,
    logProb: (params, x) => {
      let z = x.sub(part(params, 0, dim)).mul(logSd(params).neg().exp());
      let logDeterminant = logSd(params).sum();
      for (const network of networks(params).reverse()) {
        if (direction === "inverse") {
          const found = backward(network, z);
          z = found.u;
          logDeterminant = logDeterminant.add(found.logDeterminant);
        } else {
          const { shift, logScale } = network(z);
          z = z.sub(shift).mul(logScale.neg().exp());
          logDeterminant = logDeterminant.add(logScale.sum(1));
        }
      }
      return standardLogProb(z).sub(logDeterminant);
    },
    // A masked flow's draw has the network's outputs at hand either way.
    drawWithLogProb,
    entropy: null,
    moments: null,
    // The last layer scales each coordinate alone.
    mapped: (params, map) => (map.diagonal ? scaledHead(params, map) : null),
  };
}
