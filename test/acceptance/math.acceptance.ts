import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { UNARY_NAMES, type UnaryName } from "./math-regions.ts";
import { quick } from "./scale.ts";

const script = fileURLToPath(new URL("math-exhaustive-run.ts", import.meta.url));
const strides = quick ? ["17", "127"] : [];

/** The costliest first, so that the processes end at about the same time. */
const names: UnaryName[] = ["lgamma", "sin", "cos", "digamma", "erf"];
names.push(...UNARY_NAMES.filter((name) => !names.includes(name)));

async function worstOf(name: UnaryName): Promise<{ maxUlp: number; worstInput: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, name, ...strides]);
  return JSON.parse(stdout);
}

// As many at a time as there are cores: see maxConcurrency in the configuration.
describe.concurrent(`within 2 ulp of the true value for ${quick ? "every 17th" : "every"} f32 number`, () => {
  test.each(names)(
    "%s",
    async (name) => {
      const { maxUlp, worstInput } = await worstOf(name);
      console.log(`${name}: at most ${maxUlp.toFixed(3)} ulp, at ${worstInput}`);
      expect(maxUlp, `at ${worstInput}`).toBeLessThanOrEqual(2);
      // The nearest float is half an ulp away for some argument: less would mean that nothing was compared.
      expect(maxUlp).toBeGreaterThan(0.49);
    },
    3_600_000,
  );
});
