import { describe, expect, test } from "vitest";
import { NonFiniteError } from "../../src/base/errors.ts";
import type { Fit, VaeEvent } from "../../src/vae/events.ts";
import { trainVae } from "../../src/vae/train.ts";
import { Vae } from "../../src/vae/vae.ts";
import { onBackends } from "../on-backends.ts";
import { toySet } from "./toy-images.ts";

const small = { encoder: [6], decoder: [6], latent: 2, batch: 8, epochs: 50, seed: 5 } as const;

describe("a bound that becomes non-finite", () => {
  onBackends((place) => {
    test("stops the fit, keeps the last good state and says where it came from", async () => {
      const events: VaeEvent[] = [];
      let saved: Uint8Array | null = null;
      const onEvent = (event: VaeEvent, fit: Fit) => {
        events.push(event);
        if (event.kind === "nonFinite") saved = fit.checkpoint();
      };
      const where = place();
      const training = trainVae(toySet(27), { ...small, optimizer: "sgd", lr: 1e6 }, { ...where, onEvent });
      await expect(training).rejects.toThrow(NonFiniteError);
      await expect(training).rejects.toThrow(/at step \d+ \(epoch \d+\).*(row \d+ of training data|weight\[|bias\[)/);
      const last = events.at(-1)!;
      expect(last).toMatchObject({ kind: "nonFinite" });
      const vae = await Vae.load(saved!, where);
      expect(vae.parameters.read().every(Number.isFinite)).toBe(true);
      // The state is that after the last step whose update was sound: going on fails again at once.
      const again: VaeEvent[] = [];
      const resumed = trainVae(toySet(27), {}, { ...where, resume: saved!, onEvent: (e) => void again.push(e) });
      await expect(resumed).rejects.toThrow(NonFiniteError);
      expect(again.at(-1)).toMatchObject({ kind: "nonFinite", step: last.step });
    });

    test("names the row whose likelihood overflows", async () => {
      // (1e30)² overflows f32: the squared error of row 5 alone.
      const rows = Array.from({ length: 12 }, (_, i) => [0.1 * i, i === 5 ? 1e30 : 1]);
      const training = trainVae(
        rows,
        { ...small, likelihood: "gaussian-shared", encoder: [], epochs: 1, batch: 12 },
        place(),
      );
      await expect(training).rejects.toThrow(
        /(distortion|encoder's output|decoder's output|rate).* row 5 of training data/s,
      );
    });
  });
});

test("latent dimensions that the data do not need are reported", async () => {
  const events: VaeEvent[] = [];
  // Independent coin flips have nothing to code.
  const rows = Array.from({ length: 64 }, (_, i) => [0, 1, 2, 3, 4, 5].map((bit) => (i >> bit) & 1));
  await trainVae(
    rows,
    { ...small, likelihood: "bernoulli", lr: 0.02, epochs: 150 },
    { onEvent: (e) => void events.push(e) },
  );
  const found = events.find((e) => e.kind === "collapsed");
  expect(found).toMatchObject({ dimensions: [0, 1], latent: 2 });
  expect(found!.message).toMatch(/2 of 2 latent dimensions collapsed/);
});
