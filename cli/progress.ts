/**
 * The progress line of a long run, on standard error. On a terminal one line is rewritten in place, and each finished
 * epoch leaves a line of its own above it; anywhere else nothing at all is written, so that logs and pipes stay clean.
 */

/** What the progress line writes to: a part of `process.stderr`. `columns` is read anew for each line (terminals resize). */
export interface ProgressStream {
  write(text: string): unknown;
  readonly columns?: number;
}

export interface ProgressOptions {
  readonly stream: ProgressStream;
  readonly isTTY: boolean;
  /** How many units the run has; used where an update does not know its `steps`. */
  readonly total: number;
  /** Plural name of the unit, "epochs"; lines show it in the singular. */
  readonly unit: string;
  /** Environment, for NO_COLOR and TERM; `process.env` when left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A monotonic clock in milliseconds; `performance.now` when left out. */
  readonly now?: () => number;
}

/** Where the run stands. `step` and `steps` count over the whole run, `epoch` from 1; `secondsLeft` null: not known yet. */
export interface ProgressUpdate {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  /** Negative ELBO in nats per example. */
  readonly negElbo: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number | null;
}

/** A finished epoch: negative ELBOs in nats per example. */
export interface EpochUpdate {
  readonly epoch: number;
  readonly epochs: number;
  readonly trainNegElbo: number;
  readonly testNegElbo: number | null;
  readonly seconds: number;
  readonly imagesPerSecond: number;
}

export interface Progress {
  /** Rewrites the line, at most ten times a second. */
  update(state: ProgressUpdate): void;
  /** Leaves a line for a finished epoch above the progress line. */
  epochEnd(state: EpochUpdate): void;
  /** Clears the line, lets `write` print its own lines to the same stream, and draws the line again. */
  interrupt(write: () => void): void;
  /** Clears the line for good; later calls write nothing. */
  done(): void;
}

const millisecondsBetweenDraws = 100;
const widestBar = 24;
const narrowestBar = 8;
const clearToEnd = "\u001b[K";
const clearLine = `\r${clearToEnd}`;

/** A progress line on `stream`; see {@link Progress}. Colours are left out under NO_COLOR (no-color.org), also for TERM=dumb. */
export function createProgress(options: ProgressOptions): Progress {
  const { stream, total, unit } = options;
  const env = options.env ?? process.env;
  const now = options.now ?? (() => performance.now());
  const isDumb = env.TERM === "dumb";
  const paint = env.NO_COLOR || isDumb ? (_code: number, text: string) => text : ansi;
  const label = unit.replace(/s$/, "");
  const isLive = options.isTTY && !isDumb; // a dumb terminal cannot clear a line: it gets the epoch lines alone

  let current = "";
  let lastDraw = Number.NEGATIVE_INFINITY;
  let isDone = false;

  const columns = () => Math.max(1, (stream.columns || 80) - 1); // a full last column makes terminals wrap

  return {
    update(state) {
      if (!isLive || isDone || now() - lastDraw < millisecondsBetweenDraws) return;
      lastDraw = now();
      current = liveLine(state, label, total, columns(), paint);
      stream.write(`\r${current}${clearToEnd}`);
    },
    epochEnd(state) {
      if (!options.isTTY || isDone) return;
      stream.write(`${isLive ? "\r" : ""}${epochLine(state, label, columns(), paint)}${isLive ? clearToEnd : ""}\n`);
      if (current !== "") stream.write(`\r${current}${clearToEnd}`);
    },
    interrupt(write) {
      if (current !== "" && !isDone) stream.write(clearLine);
      write();
      if (current !== "" && !isDone) stream.write(`\r${current}${clearToEnd}`);
    },
    done() {
      if (isDone) return;
      isDone = true;
      if (current !== "") stream.write(clearLine);
      current = "";
    },
  };
}

type Paint = (code: number, text: string) => string;
const ansi: Paint = (code, text) => `\u001b[${code}m${text}\u001b[0m`;
const bold = 1;
const dim = 2;
const cyan = 36;

/** A piece of a line: its text, how to paint it, and how dispensable it is (larger goes first when the line is too long). */
interface Piece {
  readonly text: string;
  readonly paint?: number;
  readonly rank: number;
}

function liveLine(state: ProgressUpdate, label: string, total: number, columns: number, paint: Paint): string {
  const pieces: readonly Piece[] = [
    { text: `${label} ${state.epoch}/${state.epochs}`, rank: 0 },
    { text: `negElbo ${formatNats(state.negElbo)}`, paint: bold, rank: 1 },
    { text: formatRate(state.imagesPerSecond), rank: 4 },
    { text: `${formatTimeLeft(state.secondsLeft)} left`, rank: 2 },
  ];
  const done = state.steps > 0 ? state.step / state.steps : (state.epoch - 1) / Math.max(1, total);
  // The bar takes what the text leaves. When that is too little the rate goes first (rank 4), then the bar itself.
  const withoutRate = pieces.filter((piece) => piece.rank < 4);
  for (const kept of [pieces, withoutRate]) {
    const room = columns - textLength(kept) - 4; // two brackets and the separating two blanks
    if (room >= narrowestBar) return `${bar(done, Math.min(widestBar, room), paint)}  ${join(kept, paint)}`;
  }
  return shorten(withoutRate, columns, paint);
}

function epochLine(state: EpochUpdate, label: string, columns: number, paint: Paint): string {
  const width = String(state.epochs).length;
  const pieces: Piece[] = [
    { text: `${label} ${String(state.epoch).padStart(width)}/${state.epochs}`, rank: 0 },
    { text: `negElbo train ${formatNats(state.trainNegElbo)}`, rank: 1 },
  ];
  if (state.testNegElbo !== null) pieces.push({ text: `test ${formatNats(state.testNegElbo)}`, paint: bold, rank: 2 });
  pieces.push({ text: formatRate(state.imagesPerSecond), paint: dim, rank: 4 });
  pieces.push({ text: `${state.seconds.toFixed(state.seconds < 10 ? 2 : 1)} s`, paint: dim, rank: 3 });
  return shorten(pieces, columns, paint);
}

/** Drops the most dispensable pieces until the line fits; the last one is cut. */
function shorten(pieces: readonly Piece[], columns: number, paint: Paint): string {
  let kept = pieces;
  while (kept.length > 1 && textLength(kept) > columns) {
    const worst = Math.max(...kept.map((piece) => piece.rank));
    kept = kept.filter((piece) => piece.rank !== worst);
  }
  return join(
    kept.map((piece) => ({ ...piece, text: piece.text.slice(0, columns) })),
    paint,
  );
}

function textLength(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.text.length, 2 * (pieces.length - 1));
}

function join(pieces: readonly Piece[], paint: Paint): string {
  return pieces.map((piece) => (piece.paint ? paint(piece.paint, piece.text) : piece.text)).join("  ");
}

// ASCII, because box-drawing characters take two columns in some East Asian terminals.
function bar(fraction: number, width: number, paint: Paint): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction || 0)) * width);
  return `[${paint(cyan, "#".repeat(filled))}${"-".repeat(width - filled)}]`;
}

/** A bound to two decimals, or in exponent form where that would be longer than the line deserves. */
export function formatNats(value: number): string {
  return Math.abs(value) < 1e7 ? value.toFixed(2) : value.toPrecision(4);
}

/** Examples per second with three figures: "950 img/s", "41.2k img/s", "1.20M img/s". */
export function formatRate(imagesPerSecond: number): string {
  if (!Number.isFinite(imagesPerSecond) || imagesPerSecond < 0) return "- img/s";
  for (const [unit, suffix] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    // 0.9995 of the unit is what three figures round up to it.
    if (imagesPerSecond >= 0.9995 * unit) return `${threeFigures(imagesPerSecond / unit)}${suffix} img/s`;
  }
  return `${imagesPerSecond < 10 ? imagesPerSecond.toFixed(1) : imagesPerSecond.toFixed(0)} img/s`;
}

function threeFigures(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/** Time left as mm:ss, or h:mm:ss from an hour on; "--:--" where it is not known. */
export function formatTimeLeft(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds) || seconds < 0) return "--:--";
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 3600 ? clock : `${Math.floor(whole / 3600)}:${clock}`;
}
