import type { ColumnSource } from "hyparquet-writer";
import { pooled } from "../diagnostics/chains.ts";
import { type Draws, elementChains, elementNames } from "./draws.ts";
import { presentStats, type SamplerStats, statNames } from "./sampler-stats.ts";

/**
 * A Parquet file of one row a draw: `chain` and `draw` from 0, what the sampler says of it under ArviZ's names (`lp`,
 * `diverging`, …), and one column of float64 for each element (`mu`, `theta[1]`, `a[1,2]`). The writer is loaded on first use.
 */
export async function toParquet(draws: Draws, stats: SamplerStats = {}): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const rows = draws.chains * draws.draws;
  const counted = (name: string, of: (row: number) => number): ColumnSource => ({
    name,
    type: "INT32",
    nullable: false,
    data: Int32Array.from({ length: rows }, (_, row) => of(row)),
  });
  const ofStats = presentStats(stats).map(([name, values]): ColumnSource => {
    const { arviz, type } = statNames[name];
    if (type === "bool") {
      return { name: arviz, type: "BOOLEAN", nullable: false, data: Array.from(values, (value) => value !== 0) };
    }
    return type === "i64"
      ? counted(arviz, (row) => values[row]!)
      : { name: arviz, type: "DOUBLE", nullable: false, data: Float64Array.from(values) };
  });
  const ofSites = Object.entries(draws.sites).flatMap(([site, { shape }]) =>
    elementNames(site, shape).map(
      (name, element): ColumnSource => ({
        name,
        type: "DOUBLE",
        nullable: false,
        data: pooled(elementChains(draws, site, element)),
      }),
    ),
  );
  const buffer = parquetWriteBuffer({
    columnData: [
      counted("chain", (row) => Math.floor(row / draws.draws)),
      counted("draw", (row) => row % draws.draws),
      ...ofStats,
      ...ofSites,
    ],
    // Random digits do not compress.
    codec: "UNCOMPRESSED",
    createdBy: "ansatz",
    kvMetadata: [
      {
        key: "ansatz",
        value: JSON.stringify({
          shapes: Object.fromEntries(Object.entries(draws.sites).map(([n, s]) => [n, s.shape])),
        }),
      },
    ],
  });
  return new Uint8Array(buffer);
}
