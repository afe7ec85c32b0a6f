import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

/** The mean and sd of each parameter in the table that an example prints. */
async function tableOf(example: string): Promise<Record<string, { mean: number; sd: number }>> {
  await import(`../../examples/${example}.ts`);
  const printed = vi.mocked(console.log).mock.calls.flat().join("\n");
  const rows = printed.split("\n").map((line) => line.trim().split(/ {2,}/));
  return Object.fromEntries(rows.map(([name, mean, sd]) => [name, { mean: Number(mean), sd: Number(sd) }]));
}

describe("the six small examples print what is known of their posteriors", () => {
  beforeEach(() => void vi.spyOn(console, "log").mockImplementation(() => {}));
  afterEach(() => vi.restoreAllMocks());

  test("ab-test: Beta posteriors with means (1 + buyers) / (2 + visitors)", async () => {
    const table = await tableOf("ab-test");
    expect(table["rate[1]"]!.mean).toBeCloseTo(97 / 1212, 2);
    expect(table["rate[2]"]!.mean).toBeCloseTo(125 / 1189, 2);
    // Difference of two Betas, nearly normal: Φ(0.02510 / 0.01184)
    expect(table["B is better"]!.mean).toBeCloseTo(0.983, 1);
  });

  test("linear-regression: least squares gives 3.93 ± 0.42 and −17.6 ± 6.8", async () => {
    const table = await tableOf("linear-regression");
    expect(Math.abs(table["slope"]!.mean - 3.93)).toBeLessThan(0.15);
    expect(Math.abs(table["slope"]!.sd - 0.42)).toBeLessThan(0.05);
    expect(Math.abs(table["intercept"]!.mean + 17.6)).toBeLessThan(2.5);
  });

  test("eight-schools: posteriordb's draws have means mu 4.4, tau 3.6, theta[1] 6.2", async () => {
    const table = await tableOf("eight-schools");
    expect(Math.abs(table["mu"]!.mean - 4.4)).toBeLessThan(0.35);
    expect(Math.abs(table["tau"]!.mean - 3.6)).toBeLessThan(0.35);
    expect(Math.abs(table["theta[1]"]!.mean - 6.2)).toBeLessThan(0.6);
  });

  test("logistic-regression: the likelihood is greatest at −2.32 for ten degrees, and cold means failure", async () => {
    const table = await tableOf("logistic-regression");
    expect(Math.abs(table["slope"]!.mean + 2.32)).toBeLessThan(0.4);
    expect(table["P(failure at 31 °F)"]!.mean).toBeGreaterThan(0.9);
  });

  test("mixture: eruptions are of about two minutes or about four and a quarter", async () => {
    const table = await tableOf("mixture");
    expect(Math.abs(table["mean[1]"]!.mean - 1.9)).toBeLessThan(0.2);
    expect(Math.abs(table["mean[2]"]!.mean - 4.1)).toBeLessThan(0.3);
  });

  test("change-point: rates of about 3.1 and 0.9 a year (Carlin, Gelfand and Smith 1992)", async () => {
    const table = await tableOf("change-point");
    expect(Math.abs(table["rate before"]!.mean - 3.1)).toBeLessThan(0.15);
    expect(Math.abs(table["rate after"]!.mean - 0.92)).toBeLessThan(0.08);
  });
});
