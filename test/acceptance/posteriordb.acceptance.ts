import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type InferOptions, infer, type Model, type Posterior } from "ansatz";
import { describe, expect, test } from "vitest";
import { dataFolder } from "../../bench/command.ts";

const folder = join(dataFolder, "posteriordb");
const names = existsSync(folder)
  ? readdirSync(folder).flatMap((file) => (file.endsWith(".json") ? [file.slice(0, -5)] : []))
  : [];

interface Reference {
  readonly params: readonly string[];
  readonly mean: readonly number[];
  readonly sd: readonly number[];
}

/** Greatest distance of a mean in reference sds, and of an sd relative to the reference's. */
interface Distance {
  readonly mean: number;
  readonly sd: number;
}

async function fitted(name: string, options: InferOptions): Promise<{ posterior: Posterior; distance: Distance }> {
  const { default: model } = (await import(`../../examples/posteriordb/${name}.ts`)) as { default: Model<unknown> };
  const { data, reference } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as {
    data: never;
    reference: Reference;
  };
  const posterior = await infer(model, data, options);
  const rows = new Map(posterior.table.map((row) => [row.name, row]));
  const distance = { mean: 0, sd: 0 };
  for (const [i, parameter] of reference.params.entries()) {
    const row = rows.get(parameter)!;
    distance.mean = Math.max(distance.mean, Math.abs(row.mean - reference.mean[i]!) / reference.sd[i]!);
    distance.sd = Math.max(distance.sd, Math.abs(row.sd / reference.sd[i]! - 1));
  }
  return { posterior, distance };
}

const isRight = ({ mean, sd }: Distance): boolean => mean <= 0.1 && sd <= 0.1;

describe.runIf(names.length > 0)("the 28 posteriors of posteriordb", () => {
  test("infer gives no false certificate, trusts at least 25, and at least 18 before it needs NUTS", async () => {
    const trusted: string[] = [];
    const early: string[] = [];
    const wrong: string[] = [];
    for (const name of names) {
      const { posterior, distance } = await fitted(name, { seed: 1 });
      if (!posterior.trusted) continue;
      trusted.push(name);
      if (!posterior.method.endsWith("nuts")) early.push(name);
      if (!isRight(distance)) wrong.push(`${name}: ${JSON.stringify(distance)} by ${posterior.method}`);
    }
    console.log(`posteriordb: ${trusted.length} of ${names.length} trusted, ${early.length} of them before NUTS`);
    expect(names).toHaveLength(28);
    expect(wrong).toEqual([]);
    expect(trusted.length).toBeGreaterThanOrEqual(25);
    expect(early.length).toBeGreaterThanOrEqual(18);
  });

  test.each(names)("NUTS on %s gives the reference's moments", async (name) => {
    const { posterior, distance } = await fitted(name, { method: "nuts", seed: 1 });
    if (name === "eight_schools-eight_schools_centered") {
      // A funnel: it may be right, and must say that it cannot be relied on.
      expect(posterior.trusted).toBe(false);
      expect(posterior.reason).toMatch(/diverged/);
      return;
    }
    expect(distance.mean).toBeLessThanOrEqual(0.1);
    expect(distance.sd).toBeLessThanOrEqual(0.1);
    expect(Math.max(...posterior.table.map((row) => row.rhat).filter((r) => !Number.isNaN(r)))).toBeLessThan(1.01);
  });
});
