// Packs the package as npm would publish it, lints that archive, installs it in an empty project and uses it there.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "ansatz-package-"));
const windows = process.platform === "win32";

function run(what: string, command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", shell: windows });
  if (status !== 0) throw new Error(`${what} failed (${[command, ...args].join(" ")})\n${stdout}\n${stderr}`);
  console.log(`ok: ${what}`);
  return stdout;
}

/** Uses every public name from outside the checkout, where neither development tools nor koffi are installed. */
const consumer = `
  const core = await import("ansatz");
  if (Object.keys(core).length === 0) throw new Error("ansatz exports nothing");
  for (const name of ["ansatz/node", "ansatz/blas", "ansatz/digits"]) await import(name);
`;

/** Compiled against the declarations, which are checked as well: what is `any` by mistake takes any argument. */
const typedConsumer = `
  import { f64, gradient, infer, model, normal, program, type Tensor, trainVae } from "ansatz";
  import * as node from "ansatz/node";
  import { digits } from "ansatz/digits";

  const level = model(({ sample, observe }, { y }: { y: Tensor }) => {
    const mean = sample("mean", normal(0, 1));
    observe("y", normal(mean, 1), y);
    return { mean };
  });
  export const posterior = await infer(level, { y: [1, 2] });
  export const draws: Float64Array = posterior.draws.mean.values;
  // @ts-expect-error: the model reads y
  await infer(level, { z: [1, 2] });
  const { train, test } = await digits();
  const { vae } = await trainVae({ train, test }, { epochs: 1 });
  export const codes: Float32Array | Float64Array = (await vae.encode(test)).mean.values;

  const descent = await program({
    state: { x: f64([2]) },
    body: ({ state: { x } }) => {
      const height = x.square().sum();
      const [slope] = gradient(height, [x]);
      return { state: { x: x.sub(slope) }, outputs: { height } };
    },
  });
  const { metrics } = await descent.run({}, 3);
  export const heights: Float64Array = metrics.height;
  // @ts-expect-error: the step has no such output
  metrics.hight;
  export { node };
`;

try {
  run("npm pack", "npm", ["pack", "--pack-destination", scratch], root);
  const archive = readdirSync(scratch).find((name) => name.endsWith(".tgz"));
  if (archive === undefined) throw new Error("npm pack wrote no archive");
  const tarball = join(scratch, archive);
  run("publint", "npx", ["publint", "run", tarball, "--strict"], root);
  run("are the types wrong", "npx", ["attw", tarball, "--profile", "esm-only"], root);

  writeFileSync(join(scratch, "package.json"), '{ "private": true, "type": "module" }\n');
  run("install from the archive", "npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", tarball], scratch);
  writeFileSync(join(scratch, "consumer.js"), consumer);
  run("import every public name", process.execPath, ["consumer.js"], scratch);
  writeFileSync(join(scratch, "typed.ts"), typedConsumer);
  const types = ["--typeRoots", join(root, "node_modules", "@types"), "--types", "node"];
  const strict = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "false"];
  types.push("--module", "nodenext", "--target", "es2023");
  run("compile a program against the types", process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...strict, ...types, "typed.ts"], scratch); // biome-ignore format: one line
  run("ansatz --help", "npx", ["--no-install", "ansatz", "--help"], scratch);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
