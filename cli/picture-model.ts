import type { Vae } from "../src/node.ts";
import type { PictureModel } from "./report-figures.ts";

/** A trained model as the report asks it. */
export const pictureModel = (vae: Vae): PictureModel => ({
  latent: vae.config.latent,
  encode: async (data) => (await vae.encode(data)).mean.values,
  reconstruct: async (data) => (await vae.reconstruct(data)).values,
  sample: async (count) => (await vae.sample(count)).mean.values,
  decode: async (latents) => {
    const columns = vae.config.latent;
    return (await vae.decode({ rows: latents.length / columns, columns, values: latents })).values;
  },
});
