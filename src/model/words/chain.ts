import { OptionError } from "../../base/errors.ts";
import { closeChain } from "../chain.ts";
import { describe, type Words } from "../recording.ts";
import type { Plate } from "../site.ts";
import { checkSize } from "./plate.ts";

export const chainWord: Words = (recording) => ({
  chain(name, length, initial, body) {
    recording.claim("chain", name);
    checkSize(`chain("${name}")`, length);
    if (typeof body !== "function") {
      throw new OptionError(
        `chain("${name}") takes (name, length, initial state, body), and its body is ${describe(body)}`,
      );
    }
    const plate: Plate = { name, kind: "chain", size: length };
    return closeChain(recording, recording.top(), plate, initial, (previous, step) =>
      recording.inside(plate, step, () => body(previous, step)),
    );
  },
});
