// What a browser downloads for the engine and AEVB, from the built package as a bundler would take it: minified, gzip.
// Limited is what it loads at once; what the library imports on demand comes when a program needs it.
import { browserBundle, coreLimit, totalBytes } from "./browser-bundle.ts";

/** The public names whose import is limited. Whatever they do not reach must be left out by tree shaking. */
const core = ["program", "trainVae"];

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

const { initial, lazy } = await browserBundle(`export { ${core.join(", ")} } from "ansatz";`);
const all = await browserBundle('export * from "ansatz";');
const coreBytes = totalBytes(initial);
console.log(`bundle size, minified and gzipped: core (${core.join(", ")}) ${coreBytes} bytes = ${kib(coreBytes)}`);
for (const { modules, gzippedBytes } of lazy) console.log(`  on demand: ${modules.join(", ")} ${kib(gzippedBytes)}`);
console.log(`  core with all of that ${kib(totalBytes([...initial, ...lazy]))}`);
console.log(`  everything the package exports ${kib(totalBytes([...all.initial, ...all.lazy]))}`);
console.log(`  limit for the core ${coreLimit} bytes = ${kib(coreLimit)}`);
if (coreBytes >= coreLimit) {
  console.error(`the core is ${coreBytes - coreLimit + 1} bytes over its limit: find out what it has come to import`);
  process.exitCode = 1;
}
