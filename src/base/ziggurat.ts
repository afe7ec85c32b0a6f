/** Edges and heights of the ziggurat's layers under f(x) = exp(−x²/2). */
export interface ZigguratTable {
  /** x[0] is the width of the base strip as if it were a rectangle, x[1] = r where the tail begins, …, x[256] = 0. */
  readonly x: Float64Array;
  /** f(x[i]); f[0] = 0 belongs to the base strip. */
  readonly f: Float64Array;
}

export const ZIGGURAT_LAYERS = 256;
/** Where the tail begins, and the area of each layer, for 256 layers (Marsaglia and Tsang 2000, section 2). */
const TAIL = 3.6541528853610088;
const AREA = 0.00492867323399;

let table: ZigguratTable | null = null;

/** The table for 256 layers, made at the first request: each x follows from the one below, x f grows by the layer's area. */
export function zigguratTable(): ZigguratTable {
  if (table) return table;
  const x = new Float64Array(ZIGGURAT_LAYERS + 1);
  const f = new Float64Array(ZIGGURAT_LAYERS + 1);
  const height = (at: number): number => Math.exp(-0.5 * at * at);
  x[0] = AREA / height(TAIL);
  x[1] = TAIL;
  f[1] = height(TAIL);
  for (let i = 2; i < ZIGGURAT_LAYERS; i++) {
    f[i] = f[i - 1]! + AREA / x[i - 1]!;
    x[i] = Math.sqrt(-2 * Math.log(f[i]!));
  }
  f[ZIGGURAT_LAYERS] = 1;
  table = { x, f };
  return table;
}
