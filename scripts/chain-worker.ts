import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The text of src/inference/mcmc/chain-worker-script.ts, made anew from the sources. */
export async function chainWorkerModule(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: 'import { work } from "./chain-worker.ts"; work(data, post);',
      resolveDir: fileURLToPath(new URL("../src/inference/mcmc", import.meta.url)),
      loader: "js",
    },
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2023",
    platform: "neutral",
    charset: "utf8",
    tsconfigRaw: {},
    write: false,
    logLevel: "error",
  });
  return `// Made by scripts/make-chain-worker.ts from chain-worker.ts and what it imports.
// biome-ignore-all format: generated
// biome-ignore-all lint: generated
export const chainWorkerScript = ${JSON.stringify(outputFiles[0]!.text.trimEnd())};
`;
}
