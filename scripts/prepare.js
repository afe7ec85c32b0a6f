// Builds dist/ when it is missing or older than the sources; npm calls this after `npm ci` and before packing.
//
// Plain JavaScript that costs milliseconds when there is nothing to do, because `npx ansatz` in a checkout links the
// package into npx's cache and npm runs `prepare` for that link as well: npm 10 on every call, npm 11 on the first.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = ["src", "cli", "package.json", "package-lock.json", "tsconfig.json", "tsdown.config.ts"];

/** Modification times of a file, or of a folder and all below it (a folder's own time tells of removed files). */
function* times(path) {
  const stat = statSync(path);
  yield stat.mtimeMs;
  if (stat.isDirectory()) for (const name of readdirSync(path)) yield* times(join(path, name));
}

/** The files that package.json's exports promise, and the command. */
function products() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const targets = Object.values(exports).flatMap((target) => (typeof target === "string" ? [] : Object.values(target)));
  return ["dist/cli.js", ...targets].map((path) => join(root, path));
}

function upToDate() {
  const built = products();
  if (!built.every((path) => existsSync(path))) return false;
  const oldestProduct = Math.min(...built.map((path) => statSync(path).mtimeMs));
  return sources.every((path) => Math.max(...times(join(root, path))) <= oldestProduct);
}

if (!upToDate()) {
  const tsdown = join(root, "node_modules", "tsdown", "dist", "run.mjs");
  if (existsSync(tsdown)) {
    const { status } = spawnSync(process.execPath, [tsdown], { cwd: root, stdio: "inherit" });
    // A failure inside npx would leave its cache half made, and every later call would then fail for that reason; the
    // command itself says what is wrong when dist/ is missing.
    process.exitCode = process.env.npm_command === "exec" ? 0 : (status ?? 1);
  } else {
    console.error("ansatz: not built, because the development tools are not installed; run `npm ci` for that.");
  }
}
