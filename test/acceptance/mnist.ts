import { existsSync } from "node:fs";
import { join } from "node:path";
import { dataFolder } from "../../bench/command.ts";

/** The folder with MNIST's four files. */
export const mnist = join(dataFolder, "mnist");

export const hasMnist = existsSync(mnist);
