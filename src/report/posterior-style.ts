/** What the report of a fit needs beyond the style of all reports. */
export const posteriorStyle = `
:root { --good: #117733; --good-panel: #eef7f0; --k0: #0072b2; --k1: #d55e00; --k2: #117733; --k3: #aa4499; }
@media screen and (prefers-color-scheme: dark) { :root { --good: #4fc08d; --good-panel: #16261d; --k0: #56b4e9; --k1: #f0a202;
  --k2: #4fc08d; --k3: #d879a8; } }
.verdict { margin: 0 0 20px; padding: 12px 16px; border: 1px solid var(--good); border-left-width: 5px; border-radius: 6px;
  background: var(--good-panel); }
.verdict.not { border-color: var(--warn); background: var(--warn-panel); }
.verdict h2 { margin: 0 0 4px; padding: 0; border: 0; color: var(--good); font-size: 1.1rem; }
.verdict.not h2 { color: var(--warn); } .verdict p { margin: 0; max-width: 76ch; }
.remark { margin: 0 0 12px; color: var(--muted); font-size: 0.9rem; max-width: 84ch; }
h3.site { margin: 20px 0 2px; font-size: 1rem; } h3.site:first-of-type { margin-top: 0; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr)); gap: 18px 22px; }
.multiples figure p { margin: 0; color: var(--muted); font-size: 0.83rem; }
.multiples .name, .trace .name { margin: 0; color: var(--ink); font-size: 0.95rem; font-weight: 600; overflow-wrap: anywhere; }
.multiples .none { padding: 30px 0; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 24px 30px; }
.trace { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); gap: 0 24px; max-width: 900px; margin-bottom: 12px; }
.trace .name { grid-column: 1 / -1; }
.area { fill: var(--test); fill-opacity: 0.22; } .bar { fill: var(--test); fill-opacity: 0.75; }
.outline { fill: none; stroke: var(--test); stroke-width: 1.5; }
.mean { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; opacity: 0.75; }
.chain { fill: none; stroke-width: 1; stroke-linejoin: round; } .trace .chain { stroke-opacity: 0.75; stroke-width: 0.8; }
.trace .small .chain { stroke-width: 1.2; stroke-opacity: 1; } .legend .chain { stroke-width: 2.5; }
.chain0 { stroke: var(--k0); } .chain1 { stroke: var(--k1); } .chain2 { stroke: var(--k2); } .chain3 { stroke: var(--k3); }
.divergent-tick { stroke: var(--ink); stroke-width: 1; } .band-expected { fill: var(--muted); fill-opacity: 0.16; }
.draw { stroke: var(--test); stroke-opacity: 0.65; } .wild { stroke: var(--train); stroke-width: 16; stroke-opacity: 1; }
.observed { stroke: var(--ink); stroke-opacity: 1; } .observed-line { fill: none; stroke: var(--ink); stroke-width: 2.2; }
.replicate { fill: none; stroke: var(--test); stroke-opacity: 0.35; stroke-width: 1; }
.stem { stroke: var(--test); stroke-width: 8; stroke-opacity: 0.4; }
.scroll + .figures, .figures + .scroll { margin-top: 18px; }
.ladder td { vertical-align: top; } .ladder .reason { min-width: 34ch; }
.mark-yes { color: var(--good); font-weight: 600; white-space: nowrap; } .mark-no { color: var(--warn); white-space: nowrap; }
tr.doubtful td { color: var(--warn); }
@media (max-width: 620px) {
  .chart.small text { font-size: 12px; } .trace { grid-template-columns: minmax(0, 1fr); }
  .trace .small { max-width: 300px; } .multiples { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 14px 14px; }
  .multiples .chart.small text { font-size: 18px; }
  .ladder thead { display: none; } .ladder, .ladder tbody { display: block; }
  .ladder tr { display: flex; flex-wrap: wrap; gap: 0 12px; padding: 6px 0; border-bottom: 1px solid var(--grid); }
  .ladder th, .ladder td, .ladder td.number { padding: 0; border: 0; } .ladder th { flex-basis: 100%; color: var(--ink); font-weight: 600; }
  .scroll .ladder th:first-child { position: static; }
  .ladder .khat::before { content: "k-hat "; }
  .ladder .reason { flex-basis: 100%; min-width: 0; }
}
@media print {
  .multiples { grid-template-columns: repeat(4, 1fr); } .pairs { grid-template-columns: repeat(3, 1fr); }
  .trace, .pairs figure, .multiples figure { break-inside: avoid; }
}
`;
