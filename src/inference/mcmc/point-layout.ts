/** Byte offsets within a point that lies in wasm memory; each vector is filled up to an even number of elements with zeros. */
export interface PointLayout {
  readonly vectorBytes: number;
  readonly u: number;
  readonly gradient: number;
  readonly momentum: number;
  readonly velocity: number;
  readonly natural: number;
  readonly logDensity: number;
  readonly energy: number;
  readonly bytes: number;
}

export function layoutOf(dim: number): PointLayout {
  const vectorBytes = 16 * Math.ceil(dim / 2);
  const [u, gradient, momentum, velocity, natural, logDensity] = [0, 1, 2, 3, 4, 5].map((i) => i * vectorBytes) as [number, number, number, number, number, number]; // biome-ignore format: one line
  const energy = logDensity + 8;
  return { vectorBytes, u, gradient, momentum, velocity, natural, logDensity, energy, bytes: energy + 8 };
}
