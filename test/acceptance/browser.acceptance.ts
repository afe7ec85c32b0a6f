import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ansatz } from "../../bench/command.ts";
import { type BrowserBundle, browserBundle, coreLimit, type Script, totalBytes } from "../../scripts/browser-bundle.ts";
import type { VaeOptions } from "../../src/index.ts";
import { findChromium } from "./browser/chromium.ts";
import type { Train } from "./browser/page.ts";
import { type Server, serve } from "./browser/server.ts";

const executablePath = findChromium();
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The page's own scripts, and the data's. */
let core: BrowserBundle;
let data: BrowserBundle;
beforeAll(async () => {
  core = await browserBundle(readFileSync(new URL("browser/page.ts", import.meta.url), "utf8"));
  data = await browserBundle('export { digits } from "ansatz/digits";');
});

test("what a page with the engine and AEVB loads at once stays below 60 KB", () => {
  const bytes = totalBytes(core.initial);
  console.log(`loaded at once: ${bytes} bytes of at most ${coreLimit}, gzipped; on demand: ${totalBytes(core.lazy)}`);
  expect(bytes).toBeLessThan(coreLimit);
});

describe("a page in headless Chromium", () => {
  let server: Server;
  let browser: Browser | null = null;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "ansatz-browser-"));
    const at = (path: string, scripts: readonly Script[]) =>
      scripts.map(({ name, contents }): [string, Uint8Array] => [path + name, contents]);
    server = await serve(new Map([...at("", all(core)), ...at("data/", all(data))]));
    if (executablePath) browser = await chromium.launch({ executablePath, args: quiet });
  });
  afterAll(async () => {
    await browser?.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(({ skip }) => skip(!browser, "no Chromium on the PATH; CHROMIUM names one"));

  const all = ({ initial, lazy }: BrowserBundle) => [...initial, ...lazy];
  const addresses = (scripts: readonly Script[], path = "") => scripts.map(({ name }) => server.url + path + name);

  const runs: readonly [string, VaeOptions][] = [
    ["the defaults", { deterministic: true, epochs: 2, seed: 7 }],
    // Kernels that are loaded on demand, and other arithmetic, losses and updates than the defaults'.
    [
      "a full-covariance posterior, erf, double precision",
      { deterministic: true, epochs: 1, seed: 3, posterior: "full", activation: "gelu", latent: 3, dtype: "f64" },
    ],
    [
      "a continuous Bernoulli",
      { deterministic: true, epochs: 1, seed: 1, likelihood: "continuous-bernoulli", latent: 2 },
    ],
  ];

  test.each(runs)(
    "trains on the digits to the bits of the command, and asks for its own scripts alone: %s",
    async (_name, options) => {
      const page = await browser!.newPage();
      const asked: string[] = [];
      const failures: Error[] = [];
      page.on("request", (request) => void (request.url().startsWith("data:") || asked.push(request.url())));
      page.on("pageerror", (error) => failures.push(error));
      await page.goto(server.url);
      await page.waitForFunction("globalThis.train");
      const here = await page.evaluate(
        ([from, given]) => (globalThis as unknown as { train: Train }).train(from, given),
        [addresses(data.initial, "data/")[0]!, options] as const,
      );
      await page.close();

      const flags = Object.entries(options).flatMap(([name, value]) =>
        value === true ? [`--${name}`] : [`--${name}`, `${value}`],
      );
      const { json } = await ansatz(["train", "digits", ...flags, "--out", join(folder, "run"), "--overwrite"]);
      expect(failures).toEqual([]);
      expect(here.parameterHash).toMatch(/^[0-9a-f]{16,}$/);
      expect(here.parameterHash).toBe(json["parameterHash"]);
      expect([here.testNegElbo, here.trainNegElbo]).toEqual([json["testNegElbo"], json["trainNegElbo"]]);
      expect([here.backend, json["backend"]]).toEqual(["wasm", "wasm"]);
      expect(asked).toEqual(expect.arrayContaining(addresses(core.initial)));
      const own = [server.url, ...addresses(all(core)), ...addresses(all(data), "data/")];
      expect(own).toEqual(expect.arrayContaining(asked));
    },
  );
});
