import { embedJson, escapeHtml, formatSeconds, formatTime } from "./format.ts";
import { style } from "./style.ts";

/** A line of the table of configuration. */
export interface Setting {
  readonly key: string;
  readonly value: string;
}

/** Seconds that a stage took. */
export interface Timing {
  readonly label: string;
  readonly seconds: number;
}

/** A headline number, already written out. */
export interface Tile {
  readonly label: string;
  readonly value: string;
}

/** What every page of a run has besides its figures. */
export interface PageHead {
  readonly title: string;
  readonly createdAt: string;
  readonly version: string;
}

// Nothing is fetched and nothing runs: the policy says so to the browser as well.
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/**
 * One HTML file that opens without a network and shows everything without scripts.
 *
 * @param parts  markup, one piece below the other; empty ones are left out
 * @param data   what the page carries for programs, as JSON in the element with id "ansatz-report"
 * @param extra  styles beyond those of all reports
 */
export function page(
  { title, createdAt, version }: PageHead,
  parts: readonly string[],
  data: unknown,
  extra = "",
): string {
  const body = [
    `<header><h1>${escapeHtml(title)}</h1>`,
    `<p class="made">${escapeHtml(formatTime(createdAt))} · ansatz ${escapeHtml(version)}</p></header>`,
    ...parts,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="ansatz ${escapeHtml(version)}">
<title>${escapeHtml(title)}</title>
<style>${style}${extra}</style>
</head>
<body>
<main>
${body.filter((part) => part !== "").join("\n")}
</main>
<script type="application/json" id="ansatz-report">${embedJson(data)}</script>
</body>
</html>
`;
}

/** Figures side by side where there is room. */
export function figures(parts: readonly string[]): string {
  const shown = parts.filter((part) => part !== "");
  return shown.length === 0 ? "" : `<div class="figures">${shown.join("")}</div>`;
}

export function warnings(texts: readonly string[]): string {
  if (texts.length === 0) return "";
  const items = texts.map((text) => `<li>${escapeHtml(text)}</li>`).join("");
  const heading = texts.length === 1 ? "Warning" : `${texts.length} warnings`;
  return `<aside class="warnings" role="note" aria-label="Warnings"><h2>${heading}</h2><ul>${items}</ul></aside>`;
}

export function tiles(items: readonly Tile[]): string {
  if (items.length === 0) return "";
  const all = items.map(
    ({ label, value }) =>
      `<div><dt>${escapeHtml(label)}</dt><dd${value.length > 13 ? ' class="long"' : ""}>${escapeHtml(value)}</dd></div>`,
  );
  return `<dl class="summary">${all.join("")}</dl>`;
}

export function configuration(items: readonly Setting[]): string {
  if (items.length === 0) return "";
  const rows = items.map(
    ({ key, value }) => `<tr><th scope="row">${escapeHtml(key)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return `<table class="whole"><tbody>${rows.join("")}</tbody></table>`;
}

export function timings(items: readonly Timing[]): string {
  if (items.length === 0) return "";
  const longest = Math.max(...items.map((item) => (Number.isFinite(item.seconds) ? item.seconds : 0)));
  const rows = items.map(({ label, seconds }) => {
    const share = longest > 0 && seconds > 0 ? Math.min(100, (100 * seconds) / longest) : 0;
    return (
      `<tr><th scope="row">${escapeHtml(label)}</th><td class="number">${escapeHtml(formatSeconds(seconds))}</td>` +
      `<td class="share" aria-hidden="true"><span style="width:${share.toFixed(1)}%"></span></td></tr>`
    );
  });
  return `<table class="whole"><tbody>${rows.join("")}</tbody></table>`;
}
