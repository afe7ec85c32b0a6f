import type { Buffer } from "../../engine/runtime.ts";
import type { TracedModel } from "../../model/site.ts";
import { f64, program } from "../../program/program.ts";
import { full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Block, type Expected, writeNeutral } from "./blocks/block.ts";
import type { ExpectedTerm } from "./expected-joint.ts";
import { tensorsOf, withTensors } from "./given-statistics.ts";
import { entropyOf, inputsOf, priorStates, readyFor, type Setting, sitesOf, stateKey, statesOfBlocks, sum, type Tensors, updated } from "./sweep.ts"; // biome-ignore format: one line

/** Factors of what stands in some plates, and all others. */
export interface Division {
  readonly local: readonly Block[];
  readonly global: readonly Block[];
  /** Names of all sites in the plates, observed ones too. */
  readonly sites: ReadonlySet<string>;
}

/** `plates`: names of outermost plates. */
export function dividedBy(plates: readonly string[], blocks: readonly Block[], { sites }: TracedModel): Division {
  const inside = new Set(sites.filter((s) => plates.includes(s.plates[0]?.name ?? "")).map((s) => s.name));
  const local = blocks.filter((b) => b.sites.every((s) => inside.has(s)));
  return { local, global: blocks.filter((b) => !local.includes(b)), sites: inside };
}

/** Local factors brought to their optima while the global ones stay. */
export interface LocalSweeps {
  /** Local factors at their priors given the global ones, whose statistics the sweeps that follow take as they are now. */
  start(): void;
  /** Local factors at their optima in turn; returns their part of the bound, in nats, each element as often as it counts. */
  sweep(): number;
  /** What the bound has besides, at the last start: terms and entropies of global factors alone. */
  globalPart(): number;
  /** Sweeps until their part of the bound changes by less than `tolerance` of itself; returns it. */
  solve(most: number, tolerance: number): number;
}

/** Those sweeps as compiled programs over the memory of a fit. */
export async function compileLocalSweeps(setting: Setting, { local, global, sites }: Division): Promise<LocalSweeps> {
  const { problem, buffers } = setting;
  const { inputs, data } = inputsOf(setting);
  const shared = { runtime: problem.runtime, deterministic: problem.deterministic, state: buffers };
  const likeOf = (state: Tensors) => Object.values(state)[0]!;
  const isLocal = (t: ExpectedTerm) => sites.has(t.name);

  const prior = await program({
    ...shared,
    inputs,
    body: ({ state, inputs }) => ({ state: priorStates(readyFor(setting, likeOf(state), inputs), state, local) }),
  });
  prior.prepare(data as never);

  // What the sweeps take from outside: expected once a start, though the sweeps are many.
  let given: Expected["sites"] = {};
  const expectGlobal = await program({
    ...shared,
    inputs,
    body: ({ state, inputs }) => {
      const like = likeOf(state);
      const ready = readyFor(setting, like, inputs);
      const states = statesOfBlocks(ready.blocks, state);
      const expected = ready.blocks.map((b, i) => b.expected(states[i]!));
      given = sitesOf(expected.filter((_, i) => global.includes(ready.blocks[i]!))).sites;
      const part = sum(like, [
        ...ready.terms.filter((t) => !isLocal(t)).map((t) => t.expect(sitesOf(expected))),
        ...ready.blocks.flatMap((b, i) => (global.includes(b) ? [entropyOf(ready, b, expected[i]!)] : [])),
      ]);
      return { outputs: { part, ...tensorsOf(given) } as Record<string, Tensor> };
    },
  });
  expectGlobal.prepare(data as never);
  const statistics = Object.fromEntries(Object.keys(tensorsOf(given)).map((key) => [key, expectGlobal.outputs[key]!]));

  const sweepProgram = await program({
    ...shared,
    inputs: {
      ...inputs,
      ...Object.fromEntries(Object.entries(statistics).map(([key, { shape }]) => [key, f64(shape)])),
    },
    body: ({ state, inputs: all }) => {
      const like = likeOf(state);
      const ready = readyFor(setting, like, all);
      const { blocks, order, terms } = ready;
      const states = statesOfBlocks(blocks, state);
      const outside: Expected = { sites: withTensors(given, all), wrt: {}, entropy: full(like, [], 0, "f64") };
      const expected = blocks.map((b, i) => (local.includes(b) ? b.expected(states[i]!) : outside));
      const next: Record<string, Tensor> = {};
      for (const block of order.filter((b) => local.includes(b))) {
        const i = blocks.indexOf(block);
        const touching = terms.filter((t) => t.sites.some((s) => block.sites.includes(s)));
        states[i] = updated(ready, block, states[i]!, expected, expected[i]!, touching);
        expected[i] = block.expected(states[i]!);
        for (const [name, tensor] of Object.entries(states[i]!)) next[stateKey(block, name)] = tensor;
      }
      const part = sum(like, [
        ...terms.filter(isLocal).map((t) => t.expect(sitesOf(expected))),
        ...blocks.flatMap((b, i) => (local.includes(b) ? [entropyOf(ready, b, expected[i]!)] : [])),
      ]);
      return { state: next, outputs: { local: part } };
    },
  });
  sweepProgram.prepare({ ...data, ...statistics } as never);

  const numberOf = (b: Buffer) => (b.view() as Float64Array)[0]!;
  const sweep = (): number => {
    sweepProgram.step();
    return numberOf(sweepProgram.outputs.local);
  };
  return {
    start() {
      for (const b of local) for (const name of Object.keys(b.state)) writeNeutral(b, name, buffers[stateKey(b, name)]!.view() as Float64Array); // biome-ignore format: one line
      if (local.length) prior.step();
      expectGlobal.step();
    },
    sweep,
    globalPart: () => numberOf(expectGlobal.outputs.part!),
    solve(most, tolerance) {
      let part = sweep();
      // A single factor moves on as well, where a bound in its terms depends on it (counts that are allocated to addends).
      for (let n = 1; n < most && local.length > 0; n++) {
        const last = part;
        part = sweep();
        if (Math.abs(part - last) <= tolerance * Math.abs(part)) break;
      }
      return part;
    },
  };
}
