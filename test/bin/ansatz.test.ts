import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

let checkout: string;

beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), "ansatz-bin-"));
  cpSync(fileURLToPath(new URL("../../bin", import.meta.url)), join(checkout, "bin"), { recursive: true });
  writeFileSync(join(checkout, "package.json"), '{ "type": "module" }\n');
});

afterAll(() => rmSync(checkout, { recursive: true, force: true }));

const ansatz = (...args: string[]) =>
  spawnSync(process.execPath, [join(checkout, "bin", "ansatz.js"), ...args], { encoding: "utf8" });

test("a checkout that was not built says which command builds it", () => {
  const { status, stdout, stderr } = ansatz("train", "digits");
  expect(status).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/npm run build/);
  expect(stderr.trimEnd()).not.toContain("\n");
});

test("relaxed SIMD is turned on before the command is loaded, but for a deterministic run", () => {
  // (v128, v128, v128) → v128 by f32x4.relaxed_madd, opcode fd 85 02: valid only where relaxed SIMD is on.
  const relaxed = [0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0];
  relaxed.push(10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b);
  mkdirSync(join(checkout, "dist"), { recursive: true });
  writeFileSync(
    join(checkout, "dist", "cli.js"),
    `console.log(WebAssembly.validate(new Uint8Array([${relaxed}])), process.argv.slice(2).join(" "));\n`,
  );
  const onByDefault = WebAssembly.validate(new Uint8Array(relaxed));
  expect(ansatz("doctor", "--json").stdout).toBe("true doctor --json\n");
  expect(ansatz("train", "--deterministic").stdout).toBe(`${onByDefault} train --deterministic\n`);
});
