import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "./command.ts";

let ansatz: BuiltCommand;
beforeAll(async () => {
  ansatz = await buildCommand();
});
afterAll(() => ansatz.remove());

describe("the command line", () => {
  test("without a command it shows what there is", async () => {
    const { code, stdout, stderr } = await ansatz.run([]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of ["train", "encode", "sample", "reconstruct", "score", "nll", "report", "doctor"]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\S`, "m"));
    }
  });

  test.each(["fit", "train", "encode", "sample", "reconstruct", "score", "nll", "report", "doctor"])(
    "%s --help explains itself with examples",
    async (name) => {
      const { code, stdout, stderr } = await ansatz.run([name, "--help"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`Usage: ansatz ${name}`);
      expect(stdout).toContain(`$ ansatz ${name}`);
      expect(stdout).toContain("--json");
      expect(stdout).not.toContain("[]");
      expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
    },
  );

  test("--version is the package's", async () => {
    const { stdout } = await ansatz.run(["--version"]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("a misspelt command is a usage error that suggests the right one", async () => {
    const { code, stdout, stderr } = await ansatz.run(["trian", "digits"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(`error: unknown command 'trian' (Did you mean train?) See "ansatz --help".\n`);
  });

  test("a misspelt option is a usage error that suggests the right one", async () => {
    const { code, stderr } = await ansatz.run(["train", "digits", "--epoch", "3"]);
    expect(code).toBe(2);
    expect(stderr).toBe(`error: unknown option '--epoch' (Did you mean --epochs?) See "ansatz train --help".\n`);
  });

  test("with --json the last line of output tells the error too", async () => {
    const outcome = await ansatz.run(["doctor", "--fast", "--json"]);
    expect(outcome.code).toBe(2);
    expect(lastJson(outcome)).toEqual({ error: { name: "UsageError", message: expect.stringContaining("--fast") } });
  });
});

describe("doctor", () => {
  test("names the machine, checks the engine and prints one JSON object", async () => {
    const outcome = await ansatz.run(["doctor", "--json"]);
    expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: 0, stderr: "" });
    const found = lastJson(outcome);
    expect(found).toMatchObject({ node: process.version, check: { passed: true } });
    expect(found.backend).toBe(found.blas === null ? "wasm" : "blas");
  });

  test("says how the BLAS was turned off", async () => {
    const { code, stdout } = await ansatz.run(["doctor"], { env: { ANSATZ_BLAS: "none" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/BLAS +none: the wasm kernels serve/);
    expect(stdout).toContain("unset it");
  });

  test("a BLAS that cannot be used is a finding, not an end", async () => {
    const { code, stdout } = await ansatz.run(["doctor"], { env: { ANSATZ_BLAS: "libnowhere.so" } });
    expect(code).toBe(0);
    expect(stdout).toContain("ANSATZ_BLAS=libnowhere.so");
  });
});
