import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { DataError, type Model, OptionError } from "../src/index.ts";

/**
 * The default export of a model's file, TypeScript or JavaScript, as it stands: types are stripped on the way in (and the result kept in a
 * cache, since stripping takes longer than many a fit). The file's
 * "ansatz" is this very package, wherever the file lies.
 *
 * @throws OptionError where there is no such file, or it has no model for its default export
 */
export async function loadModel(path: string): Promise<Model<unknown>> {
  const full = resolve(path);
  if (!existsSync(full)) throw new OptionError(`${path} does not exist. Give the file of a model, as in "ansatz fit model.ts --data data.json".`); // biome-ignore format: one sentence
  const { createJiti } = await import("jiti");
  const own = await import("../src/node.ts");
  const jiti = createJiti(full, {
    // Not only the same code but the same instance: a tensor of another copy would be a stranger here.
    virtualModules: { ansatz: own, "ansatz/node": own },
  } as Parameters<typeof createJiti>[1]);
  let exported: unknown;
  try {
    exported = await jiti.import(full, { default: true });
  } catch (error) {
    throw new DataError(`${path} cannot be loaded: ${(error as Error).message.split("\n")[0]}`);
  }
  const found = exported as Partial<Model<unknown>> | null;
  if (found?.kind === "model") return found as Model<unknown>;
  const what = exported === null || typeof exported !== "object" ? typeof exported : `an object with ${Object.keys(exported).slice(0, 5).join(", ") || "no fields"}`; // biome-ignore format: one line
  throw new OptionError(
    `${path} has no model for its default export, but ${what}. Write: export default model(({ sample, observe }, data) => { … })`,
  );
}
