import type { DataFlags } from "./data-source.ts";

/** What `ansatz train` takes besides the data and the options of the fit. */
export interface TrainFlags extends DataFlags {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly resume?: string;
  readonly checkpointEvery: number;
  readonly threads?: number;
  readonly json?: boolean;
}
