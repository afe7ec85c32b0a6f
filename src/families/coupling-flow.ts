import { OptionError } from "../base/errors.ts";
import { concat } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { flowNetwork } from "./flow-network.ts";
import { part, scaledHead, standardLogProb, type VariationalFamily } from "./variational-family.ts";

export interface CouplingFlowOptions {
  /** Coupling layers, each of which moves one half of the coordinates given the other. Default 4. */
  readonly layers?: number;
  /** Widths of each layer's network. Default [32]. */
  readonly hidden?: readonly number[];
}

// z ~ N(0, I); layers alternate which half stays: (a, b) → (a, b e^{s(a)} + t(a)); x = mean + e^{logSd} ∘ z at the end
// log q(x) = log N(z; 0, I) − Σ s − Σ logSd        parameters: mean, log sd, then the networks
/**
 * An affine coupling flow, RealNVP (Dinh, Sohl-Dickstein and Bengio 2017): draws and densities both cost one pass.
 *
 * @throws OptionError in one dimension, where there is nothing to couple
 */
export function couplingFlow(dim: number, { layers = 4, hidden = [32] }: CouplingFlowOptions = {}): VariationalFamily {
  if (dim < 2) throw new OptionError("couplingFlow needs two coordinates or more: with one use meanField");
  if (!(Number.isInteger(layers) && layers >= 1))
    throw new OptionError(`couplingFlow takes a number of layers from 1 on, not ${layers}`);
  const first = Math.ceil(dim / 2);
  const couplings = Array.from({ length: layers }, (_, layer) => {
    const [given, moved] = layer % 2 ? [dim - first, first] : [first, dim - first];
    return { network: flowNetwork({ name: `coupling.${layer}`, inputs: given, hidden, outputs: moved }), swapped: layer % 2 === 1 }; // biome-ignore format: short
  });
  const offsets = couplings.map((_, i) => 2 * dim + couplings.slice(0, i).reduce((sum, c) => sum + c.network.size, 0));
  const halves = (x: Tensor, swapped: boolean): [Tensor, Tensor] => {
    const [a, b] = [x.narrow(1, 0, first), x.narrow(1, first, dim - first)];
    return swapped ? [b, a] : [a, b];
  };
  const joined = (given: Tensor, moved: Tensor, swapped: boolean) => concat(swapped ? [moved, given] : [given, moved], 1); // biome-ignore format: short
  const meanOf = (params: Tensor) => part(params, 0, dim);
  const logSd = (params: Tensor) => part(params, dim, dim);

  const drawWithLogProb = (params: Tensor, noise: Tensor) => {
    let z = noise;
    let logProb = standardLogProb(noise).sub(logSd(params).sum());
    for (const [i, { network, swapped }] of couplings.entries()) {
      const [given, moved] = halves(z, swapped);
      const { shift, logScale } = network.apply(params, offsets[i]!, given);
      z = joined(given, moved.mul(logScale.exp()).add(shift), swapped);
      logProb = logProb.sub(logScale.sum(1));
    }
    return { x: z.mul(logSd(params).exp()).add(meanOf(params)), logProb };
  };
  return {
    name: "coupling-flow",
    dim,
    size: offsets.at(-1)! + couplings.at(-1)!.network.size,
    noiseSize: dim,
    strata: 1,
    closedUnder: "affine",
    learningRate: 0.01,
    initial: (mean, scale, seed) =>
      Float64Array.from([
        ...mean,
        ...scale.map(Math.log),
        ...couplings.flatMap(({ network }) => [...network.initial(seed)]),
      ]),
    draw: (params, noise) => drawWithLogProb(params, noise).x,
    logShares: null,
    logProb: (params, x) => {
      let z = x.sub(meanOf(params)).mul(logSd(params).neg().exp());
      let logDeterminant = logSd(params).sum();
      const scales: Tensor[] = [];
      for (let i = layers - 1; i >= 0; i--) {
        const { network, swapped } = couplings[i]!;
        const [given, moved] = halves(z, swapped);
        const { shift, logScale } = network.apply(params, offsets[i]!, given);
        z = joined(given, moved.sub(shift).mul(logScale.neg().exp()), swapped);
        scales.push(logScale.sum(1));
      }
      for (const s of scales) logDeterminant = logDeterminant.add(s);
      return standardLogProb(z).sub(logDeterminant);
    },
    drawWithLogProb,
    entropy: null,
    moments: null,
    // The last layer scales each coordinate alone.
    mapped: (params, map) => (map.diagonal ? scaledHead(params, map) : null),
  };
}
