/** Bytes of code up to which it is compiled at once. */
const AT_ONCE = 1 << 18;

/**
 * Small modules at once: compiled and linked in the background they take a fraction of a millisecond as well, but are waited for ten or
 * more where the machine is busy. Some browsers refuse to compile at once on a page's main thread, by a RangeError.
 */
async function atOnce<T>(now: () => T, later: () => Promise<T>): Promise<T> {
  try {
    return now();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return later();
  }
}

export const compileModule = (code: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> =>
  code.length > AT_ONCE
    ? WebAssembly.compile(code)
    : atOnce(
        () => new WebAssembly.Module(code),
        () => WebAssembly.compile(code),
      );

export const linkModule = (module: WebAssembly.Module, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> =>
  atOnce(
    () => new WebAssembly.Instance(module, imports),
    () => WebAssembly.instantiate(module, imports),
  );
