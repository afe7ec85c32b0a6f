import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "./command.ts";

let ansatz: BuiltCommand;

// One observation y of N(mu, s²) under mu ~ N(0, t²): mu given y is N(y t² / (t² + s²), s² t² / (s² + t²)).
const conjugate = `import { model, normal, type Tensor } from "ansatz";

interface Data { y: Tensor; scale: number }

export default model(({ sample, observe }, { y, scale }: Data) => {
  const mu = sample("mu", normal(0, scale), [2]);
  observe("y", normal(mu, 1), y);
});
`;

beforeAll(async () => {
  ansatz = await buildCommand();
  write("conjugate.ts", conjugate);
  write("data.json", JSON.stringify({ y: [3, -1], scale: 2 }));
  write("nested.json.gz", gzipSync(JSON.stringify({ name: "nested", data: { y: [3, -1], scale: 2 } })));
});
afterAll(() => ansatz.remove());

const path = (...parts: string[]) => join(ansatz.folder, ...parts);
const read = (...parts: string[]) => readFileSync(path(...parts), "utf8");
const write = (name: string, content: string | Uint8Array) => writeFileSync(path(name), content);
const manifest = (run: string) => JSON.parse(read(run, "manifest.json"));

describe("fit", () => {
  test("prints the posterior of a conjugate model, with a verdict, and leaves a numbered run with a report", async () => {
    const { code, stdout, stderr } = await ansatz.run(["fit", "conjugate.ts", "--data", "data.json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^\w+: trusted\. /);
    expect(stdout).toContain("mu[2]");
    expect(stdout).toContain("runs/conjugate-1/report.html");
    expect(readdirSync(path("runs/conjugate-1")).sort()).toEqual([
      "checks.safetensors",
      "manifest.json",
      "posterior.safetensors",
      "report.html",
    ]);
    await ansatz.run(["fit", "conjugate.ts", "--data", "data.json", "--no-report"]);
    expect(readdirSync(path("runs/conjugate-2")).sort()).toEqual(["manifest.json", "posterior.safetensors"]);
  });

  test("--method svi: the bound and the passes in the JSON, its options in the manifest; cavi and ep say theirs", async () => {
    write(
      "plated.ts",
      conjugate
        .replace("{ sample, observe }", "{ sample, observe, plate }")
        .replace(
          'sample("mu", normal(0, scale), [2]);\n  observe("y", normal(mu, 1), y);',
          'sample("mu", normal(0, scale));\n  plate("n", y.shape[0]!, (i) => {\n    observe("y", normal(mu, 1), y.at(i));\n  });',
        ),
    );
    const words = ["fit", "plated.ts", "--data", "data.json", "--json", "--no-report", "--out"];
    const stochastic = ["--method", "svi", "--batch", "2", "--delay", "0", "--max-epochs", "4", "--plate", "n"];
    const outcome = await ansatz.run([...words, "svi", ...stochastic]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    // y is N(0, I + 4 · 11ᵀ): log |…| = log 9, and the form is |y|² − 4/9 (Σ y)².
    const evidence = -Math.log(2 * Math.PI) - 0.5 * Math.log(9) - 0.5 * (10 - (4 / 9) * 4);
    const found = lastJson(outcome) as { elbo: number; sweeps: number };
    expect(found.elbo).toBeCloseTo(evidence, 10);
    expect(found.sweeps).toBe(4);
    expect(manifest("svi").given).toMatchObject({ method: "svi", batch: 2, delay: 0, maxEpochs: 4, plate: "n" });
    const cavi = lastJson(await ansatz.run([...words, "cavi", "--method", "cavi"]));
    expect(cavi).toMatchObject({ elbo: expect.closeTo(evidence, 10), sweeps: expect.any(Number) });
    const ep = lastJson(await ansatz.run([...words, "ep", "--method", "ep"]));
    expect(ep).toMatchObject({ logZ: expect.closeTo(evidence, 8), sweeps: expect.any(Number) });
    write("holes.json", JSON.stringify({ y: [3, null, -1], scale: 2 }));
    const holes = await ansatz.run([
      "fit",
      "plated.ts",
      "--data",
      "holes.json",
      "--json",
      "--method",
      "cavi",
      "--out",
      "holes",
    ]);
    expect(lastJson(holes).elbo).toBeCloseTo(evidence, 10);

    const wrong = await ansatz.run([...words, "no", "--method", "cavi", "--batch", "2"]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr + wrong.stdout).toContain("--batch: only --method svi takes this");
  });

  test("--json ends with the promised object, and the moments are those of the closed form", async () => {
    const words = ["fit", "conjugate.ts", "--data", "nested.json.gz", "--json", "--out", "json", "--seed", "3"];
    const outcome = await ansatz.run(words);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    const result = lastJson(outcome);
    const keys = [
      "method",
      "trusted",
      "khat",
      "reason",
      "parameters",
      "run",
      "report",
      "exports",
      "warnings",
      "seconds",
    ];
    expect(Object.keys(result)).toEqual(keys);
    expect(result).toMatchObject({ trusted: true, khat: expect.any(Number), run: "json", report: "json/report.html" });
    const parameters = result.parameters as Record<string, Record<string, number | null>>;
    expect(Object.keys(parameters)).toEqual(["mu[1]", "mu[2]"]);
    for (const row of Object.values(parameters)) {
      expect(Object.keys(row)).toEqual(["mean", "sd", "q5", "q50", "q95", "rhat", "essBulk"]);
    }
    // R-hat says nothing of independent draws, and JSON has no NaN.
    expect(parameters["mu[1]"]!.rhat).toBeNull();
    // 4000 draws: four standard errors of a mean, and of an sd.
    const sd = Math.sqrt(0.8);
    expect(Math.abs(parameters["mu[1]"]!.mean! - 2.4)).toBeLessThan((4 * sd) / Math.sqrt(4000));
    expect(Math.abs(parameters["mu[2]"]!.mean! + 0.8)).toBeLessThan((4 * sd) / Math.sqrt(4000));
    expect(Math.abs(parameters["mu[1]"]!.sd! - sd)).toBeLessThan((4 * sd) / Math.sqrt(8000));
    expect(Math.abs(parameters["mu[1]"]!.q95! - (2.4 + 1.645 * sd))).toBeLessThan(0.15);
    const { method, trusted, khat, reason } = result;
    expect(manifest("json")).toMatchObject({
      kind: "fit",
      status: "done",
      seed: 3,
      result: { method, trusted, khat, reason, parameters },
      model: { path: "conjugate.ts", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test("a sampler's options reach it, and its draws are exported", async () => {
    const options = [
      "--method",
      "nuts",
      "--chains",
      "2",
      "--draws",
      "120",
      "--warm-up",
      "150",
      "--target-acceptance",
      "0.9",
    ];
    const words = ["fit", "conjugate.ts", "--data", "data.json", ...options, "--export", "arviz,stan,parquet"];
    const outcome = await ansatz.run([...words, "--out", "nuts", "--json", "--deterministic"]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(lastJson(outcome)).toMatchObject({
      method: "nuts",
      khat: null,
      parameters: { "mu[1]": { rhat: expect.any(Number) } },
      exports: ["nuts/posterior.zarr", "nuts/stan-csv", "nuts/posterior.parquet"],
    });
    expect(manifest("nuts").given).toMatchObject({ chains: 2, draws: 120, warmUp: 150, targetAcceptance: 0.9 });
    expect(JSON.parse(read("nuts/posterior.zarr/posterior/mu/.zarray")).shape).toEqual([2, 120, 2]);
    const csv = readdirSync(path("nuts/stan-csv")).map((name) => read("nuts/stan-csv", name));
    expect(csv).toHaveLength(2);
    expect(csv[0]!.split("\n").filter((line) => /^-?\d/.test(line))).toHaveLength(120);
    expect(readFileSync(path("nuts/posterior.parquet")).subarray(0, 4).toString()).toBe("PAR1");
    const again = await ansatz.run([...words, "--out", "again", "--json", "--deterministic", "--no-report"]);
    expect(lastJson(again).parameters).toEqual(lastJson(outcome).parameters);
  });

  test("the report of a run is written anew without the model, and is the same", async () => {
    const before = read("nuts/report.html");
    write("nuts/report.html", "");
    const outcome = await ansatz.run(["report", "nuts", "--json"]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(lastJson(outcome)).toMatchObject({ run: "nuts", report: "nuts/report.html" });
    expect(read("nuts/report.html")).toBe(before);
  });

  test("a directory that holds a run is not written over unless that is asked for", async () => {
    const words = ["fit", "conjugate.ts", "--data", "data.json", "--out", "kept", "--no-report"];
    await ansatz.run(words);
    const before = read("kept/manifest.json");
    const { code, stderr } = await ansatz.run(words);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "error: kept holds a run already. Replace it (--overwrite), or choose another directory (--out).\n",
    });
    expect(read("kept/manifest.json")).toBe(before);
    expect((await ansatz.run([...words, "--overwrite"])).code).toBe(0);
    expect(read("kept/manifest.json")).not.toBe(before);
  });

  test("a full disk leaves a run that is replaced as it was, and nothing of a new one", async () => {
    write(
      "full.mjs",
      `import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
for (const name of ["writeSync", "writeFileSync"]) {
  const write = fs[name];
  fs[name] = (to, content, ...rest) => {
    if (content.length < 20_000) return write(to, content, ...rest);
    write(to, content.slice(0, 100), ...rest);
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", errno: -28, syscall: "write" });
  };
}
syncBuiltinESMExports();
`,
    );
    const words = ["fit", "conjugate.ts", "--data", "data.json", "--no-report", "--out"];
    const full = { env: { NODE_OPTIONS: "--import ./full.mjs" } };
    const failed = await ansatz.run([...words, "runs/new"], full);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("The disk is full") });
    expect(existsSync(path("runs/new"))).toBe(false);
    await ansatz.run([...words, "runs/old"]);
    const before = [manifest("runs/old"), read("runs/old", "posterior.safetensors")];
    expect((await ansatz.run([...words, "runs/old", "--overwrite"], full)).code).toBe(1);
    expect([manifest("runs/old"), read("runs/old", "posterior.safetensors")]).toEqual(before);
  });

  test("commands for training runs say that this is none", async () => {
    const { code, stderr } = await ansatz.run(["sample", "kept"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: kept is a run of "ansatz fit", and this command is for those of "ansatz train"/);
  });

  test("a model in JavaScript, with parts in another file, fits as well", async () => {
    mkdirSync(path("parts"));
    write("parts/prior.js", 'import { normal } from "ansatz";\nexport const prior = (scale) => normal(0, scale);\n');
    write(
      "plain.mjs",
      'import { model, normal } from "ansatz";\nimport { prior } from "./parts/prior.js";\n' +
        'export default model(({ sample, observe }, { y, scale }) => {\n  observe("y", normal(sample("mu", prior(scale), [2]), 1), y);\n});\n',
    );
    const outcome = await ansatz.run(["fit", "plain.mjs", "--data", "data.json", "--json", "--no-report"]);
    expect(lastJson(outcome)).toMatchObject({ trusted: true });
  });
});

describe("Ctrl-C", () => {
  const words = ["fit", "conjugate.ts", "--data", "data.json", "--method", "nuts", "--json", "--chains", "2"];
  const interrupted = (extra: readonly string[], after: number) =>
    ansatz.run([...words, ...extra], { onStart: (child) => setTimeout(() => child.kill("SIGINT"), after) });

  test("keeps the draws that there are, says so and exits with 130", async () => {
    // So many observations, and steps so short, that no machine is done before the signal comes.
    write("many.json", JSON.stringify({ y: Array.from({ length: 10_000 }, (_, i) => [i % 7, i % 5]), scale: 2 }));
    const slow = ["--data", "many.json", "--target-acceptance", "0.9995"];
    const extra = ["--draws", "1000000", "--warm-up", "100", "--out", "stopped", "--no-report", ...slow];
    const outcome = await interrupted(extra, 3000);
    expect(outcome.code, outcome.stderr).toBe(130);
    expect(lastJson(outcome)).toMatchObject({
      method: "nuts",
      warnings: [expect.stringMatching(/^Interrupted after \d+ draws/)],
    });
    expect(manifest("stopped").status).toBe("interrupted");
    expect(existsSync(path("stopped/posterior.safetensors"))).toBe(true);
  });

  test("before there are draws leaves nothing behind", async () => {
    const outcome = await interrupted(["--warm-up", "100000000", "--out", "nothing"], 2500);
    expect(outcome.code).toBe(130);
    expect(lastJson(outcome)).toEqual({
      error: { name: "Interrupted", message: "Interrupted before there were draws to keep: nothing was written." },
    });
    expect(existsSync(path("nothing"))).toBe(false);
  });
});
