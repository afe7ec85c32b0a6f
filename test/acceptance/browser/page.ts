// What the browser test's page runs: the library by its public names, as a page's author would import it.
import { trainVae, type VaeOptions } from "ansatz";
import { digits } from "ansatz/digits";

const train = async (options: VaeOptions) => (await trainVae(await digits(), options)).summary;

Object.assign(globalThis, { train });
export type Train = typeof train;
