// Colours: the pair of the curves after Okabe and Ito (2008), the ten of the labels after Paul Tol's "muted" scheme, both
// made for colour-blind readers; darkened or lightened where a page of that brightness would swallow them.
const light = `
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #59636e; --rule: #d5dae0; --grid: #e4e8ec;
  --train: #d55e00; --test: #0072b2; --rate: #117733; --distortion: #882255; --inactive: #a9b1ba; --warn: #b35900;
  --warn-panel: #fff6e9;
  --c0: #332288; --c1: #56b4e9; --c2: #44aa99; --c3: #117733; --c4: #999933; --c5: #d9b92e; --c6: #cc6677; --c7: #882255;
  --c8: #c44fb5; --c9: #70757c;`;
const dark = `
  --page: #14171b; --panel: #1c2026; --ink: #e6e9ed; --muted: #a0a9b4; --rule: #3a424c; --grid: #2a3038;
  --train: #f0a202; --test: #56b4e9; --rate: #4fc08d; --distortion: #d879a8; --inactive: #5d6773; --warn: #f0a202;
  --warn-panel: #2b2416;
  --c0: #8b7cf0; --c1: #88ccee; --c2: #44aa99; --c3: #2f9e57; --c4: #b0b042; --c5: #ecd96b; --c6: #e0808f; --c7: #b8437c;
  --c8: #d678c8; --c9: #b9bec5;`;

const labelColours = Array.from({ length: 10 }, (_, index) => `.c${index} { stroke: var(--c${index}); }`).join(" ");

/** The style sheet of the report: light and dark by the reader's preference, one column on narrow screens, ink on paper. */
export const style = `
:root { color-scheme: light dark; ${light} }
@media screen and (prefers-color-scheme: dark) { :root { ${dark} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 40px 0 12px; padding-bottom: 4px; border-bottom: 1px solid var(--rule); font-size: 1.2rem; }
.made { margin: 4px 0 20px; color: var(--muted); }
.warnings { margin: 0 0 20px; padding: 12px 16px; border: 1px solid var(--warn); border-left-width: 5px; border-radius: 6px;
  background: var(--warn-panel); }
.warnings h2 { margin: 0 0 4px; padding: 0; border: 0; color: var(--warn); font-size: 1rem; }
.warnings ul { margin: 0; padding-left: 20px; }
.summary { display: grid; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); gap: 10px; margin: 0; }
.summary div { padding: 10px 14px; border-radius: 6px; background: var(--panel); }
.summary dt { color: var(--muted); font-size: 0.85rem; }
.summary dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.summary .long { font-size: 1rem; line-height: 1.35; padding-top: 4px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 28px 36px; }
figure { min-width: 0; max-width: 600px; margin: 0; }
figure h3 { margin: 0 0 4px; font-size: 1rem; overflow-wrap: anywhere; }
figcaption { margin-top: 6px; color: var(--muted); font-size: 0.87rem; }
figcaption p { margin: 0 0 4px; }
.tiles { display: block; width: 100%; height: auto; margin-top: 8px; }
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart text { fill: var(--muted); font-size: 12px; font-variant-numeric: tabular-nums; }
.chart .axis { fill: var(--ink); }
.chart .tick { stroke: var(--muted); fill: none; } .chart .grid { stroke: var(--grid); fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.train { color: var(--train); } .test { color: var(--test); } .rate { color: var(--rate); }
.distortion { color: var(--distortion); }
.line { stroke: currentColor; } .mark, .arrow { fill: currentColor; } .train .line { stroke-dasharray: 6 3; }
.band { fill: transparent; } .band:hover { fill: var(--ink); fill-opacity: 0.08; }
.active { fill: var(--test); } .inactive { fill: var(--inactive); }
.threshold { stroke: var(--train); stroke-width: 1.5; stroke-dasharray: 5 4; }
.chart .threshold-name { fill: var(--ink); paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.points { fill: none; stroke-opacity: 0.8; stroke-width: var(--size); }
.disc { stroke-linecap: round; } .square { stroke-linecap: square; } .cross, .plus { stroke-width: 14; }
${labelColours}
.chart .class-name { fill: var(--ink); font-size: 17px; font-weight: 700; paint-order: stroke; stroke: var(--page);
  stroke-width: 4px; stroke-linejoin: round; pointer-events: none; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0 0 6px; padding: 0; list-style: none; font-size: 0.87rem; }
.legend svg { margin-right: 6px; vertical-align: middle; }
.scroll { overflow: auto; max-height: 40rem; }
.scroll thead th { position: sticky; top: 0; z-index: 1; background: var(--page);
  box-shadow: inset 0 -1px var(--grid); }
.scroll th:first-child { position: sticky; left: 0; background: var(--page); }
.scroll thead th:first-child { z-index: 2; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--grid); text-align: left; vertical-align: top; }
th { font-weight: 600; } tbody th { font-weight: 400; color: var(--muted); }
td.number, th.number { padding: 4px 14px 4px 14px; text-align: right; white-space: nowrap; }
.whole { width: 100%; } .whole td { overflow-wrap: anywhere; } .whole th { white-space: nowrap; }
tr.reconstructed td, tr.reconstructed th { border-bottom-color: var(--muted); }
tr.original td, tr.original th { border-bottom: 0; padding-bottom: 0; }
.share { width: 50%; } .share span { display: block; height: 10px; margin-top: 6px; border-radius: 2px;
  background: var(--test); }
details { margin-top: 10px; } summary { cursor: pointer; color: var(--muted); }
details > * + *, details .legend { margin-top: 10px; }
footer { margin-top: 48px; color: var(--muted); font-size: 0.87rem; }
@media (max-width: 620px) {
  main { padding: 18px 14px 36px; }
  .chart text { font-size: 16px; } .chart .class-name { font-size: 21px; }
  .summary { grid-template-columns: 1fr 1fr; } .whole th { white-space: normal; }
  .scroll th.long { min-width: 9em; overflow-wrap: anywhere; }
  .scroll td.number, .scroll th.number { padding: 4px 8px; }
}
@media print {
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  figure, tr, .summary div, .warnings { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .figures { grid-template-columns: 1fr 1fr; gap: 18px 24px; }
  .summary div { border: 1px solid var(--rule); }
  .chart text { font-size: 16px; } .chart .class-name { font-size: 21px; }
  details:not([open]) { display: none; } .scroll { max-height: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
