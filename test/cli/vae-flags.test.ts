import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addVaeFlags, chosenVaeOptions } from "../../cli/vae-flags.ts";
import { OptionError } from "../../src/base/errors.ts";
import { vaeOptions } from "../../src/vae/options.ts";

function parsed(...words: string[]) {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  addVaeFlags(command);
  command.action(() => {}).parse(words, { from: "user" });
  return chosenVaeOptions(command);
}

describe("the flags of train", () => {
  test("there is one for each option of the library, and no other", () => {
    const command = new Command();
    addVaeFlags(command);
    const names = command.options.map((option) => option.attributeName());
    expect(names.sort()).toEqual(Object.keys(vaeOptions).sort());
    for (const option of command.options) expect(option.helpGroupHeading, option.long).toMatch(/:$/);
  });

  test("what is not given is left to the library", () => {
    expect(parsed()).toEqual({});
  });

  test("texts become the library's values", () => {
    const words =
      "--encoder 200,100 --decoder none --lr 1e-3 --init normal:0.01 --drop-last --weight-decay 0.1 --prior mixture:5";
    expect(parsed(...words.split(" "))).toEqual({
      encoder: [200, 100],
      decoder: [],
      lr: 0.001,
      init: "normal:0.01",
      dropLast: true,
      weightDecay: 0.1,
      prior: "mixture:5",
    });
  });

  test.each([
    ["--lr", "fast", '--lr is "fast", but it takes a number of at least 0'],
    ["--encoder", "200,x", '--encoder is "200,x", but it takes integers of at least 1'],
    ["--estimator", "exact", '--estimator is "exact", but it takes one of generic, analytic'],
    ["--epochs", "2.5", '--epochs is "2.5", but it takes an integer'],
    ["--prior", "mixture", '--prior is "mixture", but it takes one of standard, gaussian, mixture:K'],
  ])("%s %s is refused with what the flag takes", (flag, value, message) => {
    expect(() => parsed(flag, value)).toThrow(OptionError);
    expect(() => parsed(flag, value)).toThrow(message);
  });
});
