// Runs once before all acceptance tests: brings dist/ up to date, and says what is going to be checked and with what.
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { findChromium } from "./browser/chromium.ts";
import { hasMnist, mnist } from "./mnist.ts";
import { quick } from "./scale.ts";

export default function setup(): void {
  const prepare = fileURLToPath(new URL("../../scripts/prepare.js", import.meta.url));
  // Under npx a failed build would count as a success (see there).
  const env = { ...process.env, npm_command: "run" };
  const { status } = spawnSync(process.execPath, [prepare], { stdio: "inherit", env });
  if (status !== 0) throw new Error("dist/ could not be built: run `npm run build` and see what it says");
  const lines = [
    `acceptance on Node ${process.versions.node}, ${availableParallelism()} cores`,
    `  MNIST: ${hasMnist ? mnist : `not found at ${mnist}, its tests are skipped; ANSATZ_DATA names another folder`}`,
    `  browser: ${findChromium() ?? "no Chromium found, its tests are skipped; CHROMIUM names one"}`,
    `  math: ${quick ? "a part of the f32 numbers (ANSATZ_QUICK)" : "all f32 numbers, about six minutes on two cores"}`,
  ];
  console.log(`${lines.join("\n")}\n`);
}
