/** A function of a library. */
export type Foreign = (...args: unknown[]) => unknown;
/** Opens a function of exactly this name, or throws. */
type Open = (symbol: string, result: string, args: string[]) => Foreign;
/** A function by its standard name, or null where the library has none; the type "size" is its integer. */
export type Lookup = (symbol: string, result: string, args: string[]) => Foreign | null;

/** How a library writes its names, and the integer that its sizes are. */
export interface Naming {
  readonly prefix: string;
  readonly suffix: string;
  readonly size: "int" | "int64";
}

/** Builds for one program's own use mark every name, so that two of them can live in a process: NumPy's, SciPy's and Julia's do. */
const MARKS = [
  ["", ""],
  ["scipy_", ""],
  ["scipy_", "64_"],
  ["", "64_"],
] as const;

/**
 * The naming that a library's C interface follows: the suffix 64_ goes with 64-bit integers, and OpenBLAS says of itself where it has them
 * without one. null where there is no such interface.
 */
export function namingOf(open: Open): Naming | null {
  const has = (symbol: string, result = "void"): Foreign | null => {
    try {
      return open(symbol, result, []);
    } catch {
      return null;
    }
  };
  for (const [prefix, suffix] of MARKS) {
    if (!has(`${prefix}cblas_sgemm${suffix}`) || !has(`${prefix}cblas_dgemm${suffix}`)) continue;
    const config = has(`${prefix}openblas_get_config${suffix}`, "str");
    const isLong = suffix !== "" || (config !== null && /USE64BITINT/.test(String(config())));
    return { prefix, suffix, size: isLong ? "int64" : "int" };
  }
  return null;
}

/** Looks functions up by their standard names. */
export const lookupIn =
  (open: Open, { prefix, suffix, size }: Naming): Lookup =>
  (symbol, result, args) => {
    try {
      return open(
        prefix + symbol + suffix,
        result,
        args.map((type) => type.replace("size", size)),
      );
    } catch {
      return null;
    }
  };
