import { ShapeError } from "../base/errors.ts";
import { activeUnitsChart } from "./bar-chart.ts";
import { formatCount, formatSignificant } from "./format.ts";
import { imageGrid } from "./image-grid.ts";
import type { ReconstructionTable, ReportInput } from "./input.ts";
import { figure, section, table } from "./markup.ts";
import { configuration, figures, page, tiles, timings, warnings } from "./page.ts";
import { latentScatter } from "./scatter.ts";
import { trainingFigures } from "./training-figures.ts";

export type { ActiveUnits, EpochMetrics, ImageGrid, LatentPlane, ReconstructionTable, ReportInput } from "./input.ts";

const mostTableColumns = 40;

/**
 * The report of a run as one HTML file that opens without a network and shows everything without scripts. The same input gives the
 * same text. The numbers behind the curves are in it as JSON, in the element with id "ansatz-report".
 *
 * @throws ShapeError when an image grid or the table of reconstructions contradicts its own layout
 */
export function renderReport(input: ReportInput): string {
  const parts = [
    warnings(input.warnings),
    tiles(input.summary),
    section("Training", trainingFigures(input.metrics)),
    section("Data and samples", figures([reconstructions(input), samples(input)]) + tableFigure(input.table)),
    section("Latent space", figures([latent(input), decodedGrid(input), activeUnits(input)])),
    section("Configuration", configuration(input.configuration)),
    section("Timings", timings(input.timings)),
  ];
  return page(input, parts, figuresData(input));
}

/** What the page carries for programs. The images and latent means stay out: they would double its size. */
function figuresData(input: ReportInput) {
  const { title, createdAt, version, metrics, activeUnits, warnings, configuration, timings } = input;
  return { title, createdAt, version, summary: input.summary, metrics, activeUnits, warnings, configuration, timings };
}

function reconstructions({ originals, reconstructions }: ReportInput): string {
  const first = originals ?? reconstructions;
  if (first === null) return "";
  const count = first.rows * first.columns;
  if (originals === null || reconstructions === null) {
    const name = originals === null ? "Reconstructions" : "Originals";
    return figure(name, imageGrid([first], `${name}: ${count} images`), []);
  }
  const picture = imageGrid([originals, reconstructions], `${count} originals, each above its reconstruction`);
  return figure("Originals and reconstructions", picture, [
    "In each pair the original is above, its reconstruction below.",
  ]);
}

function samples({ samples }: ReportInput): string {
  if (samples === null) return "";
  const picture = imageGrid([samples], `${samples.rows * samples.columns} images decoded from draws of the prior`);
  return figure("Samples from the prior", picture, ["The decoder's means at draws z from p(z)."]);
}

function latent({ latent }: ReportInput): string {
  if (latent === null) return "";
  const about = {
    id: "latent",
    title: "Latent means",
    description: `Scatter of ${formatCount(latent.x.length)} posterior means, ${latent.xName} against ${latent.yName}.`,
  };
  const scatter = latentScatter(about, latent);
  const caption = [[`Posterior means of ${formatCount(latent.x.length)} examples.`, ...scatter.notes].join(" ")];
  return figure("Latent means", scatter.legend + scatter.svg, caption);
}

function decodedGrid({ decodedGrid }: ReportInput): string {
  if (decodedGrid === null) return "";
  const { rows, columns } = decodedGrid;
  const picture = imageGrid([decodedGrid], `${rows} by ${columns} images decoded from a grid over the latent plane`);
  return figure("Decoded grid", picture, ["The decoder's means on a grid over the two latent dimensions."]);
}

function activeUnits({ activeUnits }: ReportInput): string {
  if (activeUnits === null || activeUnits.variances.length === 0) return "";
  const { variances, threshold } = activeUnits;
  const active = variances.filter((variance) => variance > threshold).length;
  const limit = formatSignificant(threshold, 3);
  const finding = `${active} of ${variances.length} latent dimensions ${active === 1 ? "is" : "are"} active: over the data, the variance of their posterior mean is above ${limit}.`;
  const about = { id: "units", title: "Active units", description: finding };
  return figure("Active units", activeUnitsChart(about, activeUnits), [finding, "The vertical axis is logarithmic."]);
}

function tableFigure(data: ReconstructionTable | null): string {
  if (data === null) return "";
  const { columns, original, reconstructed } = data;
  if (
    original.length !== reconstructed.length ||
    [...original, ...reconstructed].some((row) => row.length !== columns.length)
  ) {
    throw new ShapeError(
      `The report's table needs as many original rows as reconstructed ones (found ${original.length} and ` +
        `${reconstructed.length}), each with its ${columns.length} columns.`,
    );
  }
  const shown = columns.slice(0, mostTableColumns);
  const cells = (row: readonly number[]) => row.slice(0, mostTableColumns).map((value) => formatSignificant(value));
  const rows = original.flatMap((row, index) => [
    [`${index + 1} original`, ...cells(row)],
    ["reconstruction", ...cells(reconstructed[index] as readonly number[])],
  ]);
  const styles = original.flatMap(() => ["original", "reconstructed"]);
  const cut = shown.length < columns.length ? `The first ${shown.length} of ${columns.length} columns are shown.` : "";
  const heading = "<h3>Originals and reconstructions</h3>";
  return `${heading}${table(["example", ...shown], rows, styles)}${cut === "" ? "" : `<p class="made">${cut}</p>`}`;
}
