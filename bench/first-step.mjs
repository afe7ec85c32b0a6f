// Trains the AEVB paper's network on the bundled digits until the first step is done, and prints the milliseconds since the
// process began. `bench/startup.ts` runs it many times.
import v8 from "node:v8";

if (Number.parseInt(process.versions.node, 10) < 21) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
const { trainVae } = await import("../dist/index.js");
const { digits } = await import("../dist/digits.js");
const options = {
  encoder: [500],
  decoder: [500],
  latent: 20,
  activation: "tanh",
  batch: 100,
  epochs: 1,
  likelihood: "bernoulli",
  binarize: "dynamic",
};
await trainVae(await digits(), options, {
  onEvent: (event) => {
    if (event.kind !== "step") return;
    console.log(performance.now().toFixed(1));
    process.exit(0);
  },
});
