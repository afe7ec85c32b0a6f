/**
 * Writes src/inference/mcmc/chain-worker-script.ts: `npx tsx scripts/make-chain-worker.ts`. What a thread that samples needs, as one
 * script: as text it runs from any build of the package, and from any bundle that a user makes of it.
 */
import { writeFileSync } from "node:fs";
import { chainWorkerModule } from "./chain-worker.ts";

writeFileSync(new URL("../src/inference/mcmc/chain-worker-script.ts", import.meta.url), await chainWorkerModule());
