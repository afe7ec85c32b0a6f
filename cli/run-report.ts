import {
  type EpochMetrics,
  type MetricRow,
  type ReportInput,
  readMetrics,
  renderReport,
  writeReport,
} from "../src/node.ts";
import { describeBackend } from "./describe.ts";
import type { RunManifest } from "./manifest.ts";
import type { Pictures } from "./report-figures.ts";

const noPictures: Pictures = {
  originals: null,
  reconstructions: null,
  samples: null,
  decodedGrid: null,
  table: null,
  latent: null,
  activeUnits: null,
};

/** Writes report.html from what the run directory holds, and from pictures where the data could be read. Returns its path. */
export function writeRunReport(directory: string, manifest: RunManifest, pictures: Pictures | null): string {
  return writeReport(directory, renderReport(reportInput(manifest, readMetrics(directory), pictures ?? noPictures)));
}

function reportInput(manifest: RunManifest, rows: readonly MetricRow[], pictures: Pictures): ReportInput {
  const { data, options, sessions, timings } = manifest;
  const metrics = rows.filter(isEpoch);
  const last = metrics.at(-1);
  const session = sessions.at(-1);
  const { eventShape, count } = data.train;
  const text = (value: unknown): string => (Array.isArray(value) ? value.join(", ") || "none" : String(value));
  return {
    title: `${data.path.replace(/\/+$/, "").split("/").at(-1)}: variational autoencoder, ${text(options.latent)} latent dimension${options.latent === 1 ? "" : "s"}`,
    createdAt: manifest.startedAt,
    version: manifest.ansatz,
    summary: [
      ...(last && last.testNegElbo !== null
        ? [{ label: "test negative ELBO, nats", value: last.testNegElbo.toFixed(2) }]
        : []),
      ...(last ? [{ label: "train negative ELBO, nats", value: last.trainNegElbo.toFixed(2) }] : []),
      { label: "epochs", value: `${last?.epoch ?? 0} of ${text(options.epochs)}` },
      { label: "status", value: manifest.status },
    ],
    metrics,
    ...pictures,
    warnings: [
      ...(manifest.result?.warnings ?? manifest.warnings),
      ...(manifest.error === null ? [] : [manifest.error]),
    ],
    configuration: [
      { key: "command", value: manifest.command },
      {
        key: "data",
        value: `${data.path}: ${count} rows to train on, ${data.test?.count ?? 0} to test, shape ${eventShape.join("×")}`,
      },
      ...Object.entries(options)
        .filter(([, value]) => value !== null)
        .map(([key, value]) => ({ key, value: text(value) })),
      ...(session
        ? [
            { key: "backend", value: describeBackend(session.backend) },
            {
              key: "machine",
              value: `${session.cpu}, ${session.cpus} logical cores, ${session.platform}, Node ${session.node}`,
            },
          ]
        : []),
      { key: "sessions", value: String(sessions.length) },
    ],
    timings: Object.entries(timings).map(([label, seconds]) => ({ label, seconds })),
  };
}

const isEpoch = (row: MetricRow): row is MetricRow & EpochMetrics => row.kind === "epoch";
