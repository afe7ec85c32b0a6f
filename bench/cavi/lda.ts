// Topics of the Associated Press corpus, ours beside scikit-learn's, all scored on the same held-out tokens by the same loops.
// Run: npx tsx bench/cavi/lda.ts [--documents N] [--sweeps N] [--topics K] [--python PYTHON] [--batch N] [--epochs N] [--only cavi,svi,…]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type CaviFit, cavi, svi } from "../../src/index.ts";
import { apCorpus, entriesOf } from "./ap-corpus.ts";
import { lda } from "./lda-model.ts";
import { perplexity } from "./perplexity.ts";

const { values } = parseArgs({
  options: {
    documents: { type: "string" },
    sweeps: { type: "string", default: "100" },
    topics: { type: "string", default: "50" },
    batch: { type: "string", default: "64" },
    epochs: { type: "string", default: "20" },
    forgetting: { type: "string", default: "0.7" },
    delay: { type: "string", default: "1" },
    python: { type: "string", default: "python3" },
    only: { type: "string", default: "cavi,svi,sklearn-batch,sklearn-online" },
  },
});
const only = values.only.split(",");
const corpus = apCorpus(values.documents === undefined ? undefined : Number(values.documents));
const topics = Number(values.topics);
const [alpha, eta] = [1 / topics, 1 / topics];
const entries = entriesOf(corpus.fitted);
const documents = corpus.fitted.length;
const { vocabulary } = corpus;
console.log(
  `${documents} documents fitted, ${entries.word.length} distinct words in them; ${corpus.heldOut.length} held out`,
);

function report(name: string, concentration: Float64Array, seconds: number, passes: number, more = ""): void {
  const score = perplexity(corpus, concentration, alpha);
  console.log(`${name.padEnd(16)} perplexity ${score.toFixed(1)}, ${passes} passes, ${seconds.toFixed(1)} s${more}`);
}

const topicsOf = (fit: CaviFit) => fit.factors.phi!.parameters.concentration!.values;

if (only.includes("cavi")) {
  const data = { topics, vocabulary, documents, eta, alpha, ...entries };
  const fit = await cavi(lda, data, {
    maxSweeps: Number(values.sweeps),
    tolerance: 1e-5,
    onSweep: ({ sweep, elbo }) => process.stderr.write(`\rsweep ${sweep}, bound ${elbo.toFixed(1)} `),
  });
  process.stderr.write("\n");
  report("ours, batch", topicsOf(fit), fit.seconds, fit.sweeps, `, bound ${fit.elbo.toFixed(1)}`);
}

if (only.includes("svi")) {
  const data = { topics, vocabulary, documents, eta, alpha, ...entries };
  const fit = await svi(lda, data, {
    plate: "document",
    batch: Number(values.batch),
    maxEpochs: Number(values.epochs),
    forgetting: Number(values.forgetting),
    delay: Number(values.delay),
    localTolerance: 1e-4,
    restarts: 1,
    onStep: ({ epoch, step, elbo }) =>
      process.stderr.write(`\repoch ${epoch + 1}, step ${step}, bound ${elbo.toFixed(1)} `),
  });
  process.stderr.write("\n");
  report("ours, stochastic", topicsOf(fit), fit.seconds, fit.sweeps, `, bound ${fit.elbo.toFixed(1)}`);
}

for (const method of ["batch", "online"]) {
  if (!only.includes(`sklearn-${method}`)) continue;
  const folder = mkdtempSync(join(tmpdir(), "lda-"));
  const [rows, out] = [join(folder, "rows.json"), join(folder, "topics.f64")];
  const options = {
    passes: Number(method === "batch" ? values.sweeps : values.epochs),
    batch: Number(values.batch),
    seed: 0,
  };
  writeFileSync(rows, JSON.stringify({ topics, vocabulary, documents, alpha, eta, ...options, ...entries }));
  const script = fileURLToPath(new URL("lda_sklearn.py", import.meta.url));
  const run = spawnSync(values.python, [script, rows, out, method], { encoding: "utf8" });
  if (run.status !== 0) {
    console.log(`scikit-learn, ${method}: not run: ${run.stderr.trim().split("\n").at(-1)}`);
    continue;
  }
  const { seconds, passes, version } = JSON.parse(run.stdout) as { seconds: number; passes: number; version: string };
  const found = new Float64Array(new Uint8Array(readFileSync(out)).buffer);
  report(`sklearn ${method}`, found, seconds, passes, `, version ${version}`);
}
