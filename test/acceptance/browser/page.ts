// What the browser test's page runs: the engine and AEVB by their public names, as a page's author would import them. The
// data come from a bundle of their own, so that this one is what the size limit is about.
import { program, trainVae, type VaeOptions } from "ansatz";

const train = async (data: string, options: VaeOptions) => {
  const { digits } = (await import(data)) as typeof import("ansatz/digits");
  return (await trainVae(await digits(), options)).summary;
};

Object.assign(globalThis, { program, train });
export type Train = typeof train;
