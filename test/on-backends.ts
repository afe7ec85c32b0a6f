import { describe } from "vitest";
import { reference } from "../src/backends/reference/backend.ts";
import { Runtime } from "../src/engine/runtime.ts";
import type { VaePlace } from "../src/vae/vae.ts";

/** Both backends, each on memory of its own and without BLAS: what a test says must hold on either. */
const places: readonly { readonly name: string; readonly place: () => VaePlace }[] = [
  { name: "reference", place: () => ({ runtime: new Runtime({ blas: null }), backend: reference }) },
  { name: "wasm", place: () => ({ runtime: new Runtime({ blas: null }) }) },
];

/** Declares the tests of `body` once for each backend. */
export function onBackends(body: (place: () => VaePlace) => void): void {
  for (const { name, place } of places) describe(name, () => body(place));
}
