#!/usr/bin/env node
// The command's entry, committed as plain JavaScript so that `npm ci` can link it before anything is built.
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

const cli = new URL("../dist/cli.js", import.meta.url);

if (existsSync(cli)) {
  // Only a process's own entry sets V8 flags; importing the library never does. Relaxed multiply-add may round
  // differently from one CPU to another, so a deterministic run goes without. Node versions that have it on ignore this.
  if (!process.argv.includes("--deterministic")) setFlagsFromString("--experimental-wasm-relaxed-simd");
  await import(cli.href);
} else {
  process.stderr.write(
    "ansatz: this checkout has not been built. dist/cli.js is missing, which happens when packages were installed with " +
      "scripts turned off (npm ci --ignore-scripts) or when the build failed. Run `npm run build` in the folder that " +
      "holds ansatz's package.json, then repeat the command.\n",
  );
  process.exitCode = 1;
}
