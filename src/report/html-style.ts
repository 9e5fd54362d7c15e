/**
 * The report's style sheet. Colours are pairs for light and dark with a contrast of
 * at least 4.5; on paper everything is black on white and folded parts are open.
 */
export const REPORT_CSS = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de; --card: #f6f8fa; --bad: #b42318; --bad-page: #fef3f2; --good: #1a7f37; --good-page: #effaf2; --warn: #8a5300; --link: #0958c4; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1117; --text: #e6edf3; --quiet: #9da7b3; --line: #30363d; --card: #161b22; --bad: #ff8b80; --bad-page: #2d1416; --good: #56d364; --good-page: #0f2417; --warn: #e3b341; --link: #6cb0ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
main, .banner > div { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
.banner { padding: 1rem 0; border-bottom: 4px solid var(--good); background: var(--good-page); }
.banner.no_data { border-color: var(--warn); background: var(--card); color: var(--text); }
.banner.alert { border-color: var(--bad); background: var(--bad-page); }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
h1 .status { color: var(--good); text-transform: uppercase; letter-spacing: .04em; }
.alert h1 .status { color: var(--bad); }
.no_data h1 .status { color: var(--warn); }
.banner p { margin: .5rem 0 0; color: var(--quiet); }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
a { color: var(--link); }
ul.plain { list-style: none; margin: 0; padding: 0; }
ul.plain li { padding: .3rem 0; overflow-wrap: anywhere; }
.quiet, caption, figcaption { color: var(--quiet); font-size: .875rem; }
.word { font-weight: 650; }
.change-line { margin: 1rem 0 .5rem; font-weight: 600; }
.pass, .better, .ship { color: var(--good); }
.fail, .worse, .high, .roll_back, .unhealthy { color: var(--bad); }
.medium, .not-computable, .no_data { color: var(--warn); }
dl.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(11rem, 44%), 1fr)); gap: .5rem; margin: 1rem 0; }
dl.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .75rem; }
dt { color: var(--quiet); font-size: .8125rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
caption { text-align: left; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
thead th { color: var(--quiet); font-weight: 500; font-size: .8125rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: 6px; min-width: 0; break-inside: avoid; }
figure h4 { margin: 0 0 .25rem; font-size: .9375rem; overflow-wrap: anywhere; }
svg.figure { display: block; width: 100%; max-width: 30rem; height: auto; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; font: .8125rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.number { white-space: nowrap; }
details { margin: .75rem 0; }
summary { cursor: pointer; font-weight: 600; }
footer { margin: 2rem 0; color: var(--quiet); font-size: .8125rem; }
@media screen and (max-width: 48rem) {
  h1 { font-size: 1.15rem; }
  table.cards, .cards tbody, .cards tr, .cards th, .cards td, .cards caption { display: block; width: auto; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .cards tr { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .75rem; margin: 0 0 .75rem; }
  .cards th, .cards td { border: 0; padding: .1rem 0; }
  .cards [data-label]::before { content: attr(data-label) ": "; color: var(--quiet); font-weight: 400; }
  .cards th[data-label]::before { content: none; }
  .cards th { font-size: 1rem; overflow-wrap: anywhere; }
}
@media print {
  :root { color-scheme: light; --page: #fff; --text: #000; --quiet: #444; --line: #bbb; --card: #fff; --bad: #a00; --bad-page: #fff; --good: #060; --good-page: #fff; --warn: #640; --link: #000; }
  body { font-size: 10pt; }
  .quiet, caption, figcaption, footer { font-size: 9pt; }
  details::details-content { content-visibility: visible; height: auto; display: block; }
  tr, li, .facts div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  table, thead th { font-size: 8pt; }
}
`;
