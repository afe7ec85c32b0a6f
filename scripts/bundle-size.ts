// What a browser downloads for the engine and AEVB, from the built package as a bundler would take it: minified, gzip.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The public names whose import is limited. Whatever they do not reach must be left out by tree shaking. */
const core = ["program", "trainVae"];
const limit = 60 * 1024;

async function gzippedBytes(entry: string): Promise<number> {
  const result = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL("..", import.meta.url)), loader: "js" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    // The browser condition takes the BLAS stub, and an import of one of Node's modules fails the build. Without the
    // tsconfig the package's own names go through its exports to dist/.
    platform: "browser",
    tsconfigRaw: {},
    write: false,
    logLevel: "error",
  });
  return gzipSync(result.outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).byteLength;
}

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

const coreBytes = await gzippedBytes(`export { ${core.join(", ")} } from "ansatz";`);
const allBytes = await gzippedBytes('export * from "ansatz";');
console.log(`bundle size, minified and gzipped: core (${core.join(", ")}) ${coreBytes} bytes = ${kib(coreBytes)}`);
console.log(`  everything the package exports ${kib(allBytes)}; limit for the core ${kib(limit)}`);
if (coreBytes >= limit) {
  console.error(`the core is ${coreBytes - limit + 1} bytes over its limit: find out what it has come to import`);
  process.exitCode = 1;
}
