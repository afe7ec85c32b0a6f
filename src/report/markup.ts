import { escapeHtml } from "./format.ts";

/**
 * A figure with its heading and caption.
 *
 * @param picture  markup, already escaped
 * @param caption  text, one paragraph each
 * @param after    markup below the caption
 */
export function figure(heading: string, picture: string, caption: readonly string[], after = ""): string {
  const paragraphs = caption.map((text) => `<p>${escapeHtml(text)}</p>`).join("");
  return `<figure><h3>${escapeHtml(heading)}</h3>${picture}<figcaption>${paragraphs}</figcaption>${after}</figure>`;
}

/** A table of numbers in a box that scrolls on its own; the first column heads its row and stays in sight, as the head does. */
export function table(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  rowStyles?: readonly string[],
): string {
  const head = columns.map(
    (name, index) => `<th scope="col"${index > 0 ? ' class="number"' : ""}>${escapeHtml(name)}</th>`,
  );
  const body = rows.map((row, index) => {
    const [first = "", ...rest] = row;
    const cells = rest.map((cell) => `<td class="number">${escapeHtml(cell)}</td>`).join("");
    const rowStyle = rowStyles?.[index] ? ` class="${rowStyles[index]}"` : "";
    const long = first.length > 16 ? ' class="long"' : "";
    return `<tr${rowStyle}><th scope="row"${long}>${escapeHtml(first)}</th>${cells}</tr>`;
  });
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="table"><table><thead><tr>${head.join("")}</tr></thead>` +
    `<tbody>${body.join("")}</tbody></table></div>`
  );
}

/** A section with its heading; nothing when there is nothing in it. */
export function section(heading: string, body: string): string {
  return body === "" ? "" : `<section><h2>${escapeHtml(heading)}</h2>${body}</section>`;
}
