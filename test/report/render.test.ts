import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {Verdict} from '../../src/core/verdict.ts';
import {boxPlotSvg} from '../../src/report/box-plot-svg.ts';
import {intervalSvg} from '../../src/report/interval-svg.ts';
import {markdownBlock, markdownText, markup, visible} from '../../src/report/markup.ts';
import {renderHtml} from '../../src/report/render-html.ts';
import {renderJson} from '../../src/report/render-json.ts';
import {renderMarkdown} from '../../src/report/render-markdown.ts';
import {browserGate, findChromium} from '../helpers/browser.ts';
import {emptyRow, makeArm, makeVerdict, nightRows, reportOf} from './make-verdict.ts';

/** Every string a service or an operator could choose. */
function poisoned(text: string): Verdict {
  const row = makeVerdict();
  return {
    ...row, experiment: text, metric: text, variant: text, control: `${text}0`, stream: text, reasons: [text, `goal_harmed:${text}`], sql: text, verdict_id: text,
    arms: [makeArm(`${text}0`), makeArm(text)], data_to: text, versions: {assay: text, node: text, engine: text}, analysis: {note: text, metric: {unit: text}},
    tests: [{test: 'welch-t', status: 'not-computable', reason: text}], audit: {mismatch: 1, slices_checked: 3, checked_at: text},
    health: {...row.health, srm: {status: 'not-computable', p_value: null, observed: {[text]: 1}, weights: null, reason: text}, missing_outcomes: {status: 'healthy', by_variant: {[text]: 1}, p_value: null}},
  };
}

/** What can start or end markup in the page; everything else of ours is known. */
const tagsOf = (html: string): string[] => [...html.replace(/<style>[\s\S]*?<\/style>/, '').matchAll(/<\/?([a-zA-Z!][^\s>/]*)/g)].map(([, name]) => name ?? '');

describe('nothing a service sends becomes markup', () => {
  const XSS = [
    '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", '</title><script>1</script>', '</style><script>1</script>', '</svg><svg onload=alert(1)>',
    ']]><script>', '<!--', '-->', '&lt;script&gt;', '&#x3c;script&#x3e;', 'javascript:alert(1)', '\u202egnp.exe', '\u0000<b>', '{{7*7}}', '<style>*{display:none}</style>', '</pre><h1>', '`', '|', '< -<',
  ];

  test.each(XSS)('HTML: %j', text => {
    const pageFor = (name: string): string => renderHtml(reportOf([poisoned(name)], {publicUrl: 'https://assay.example.com'}));
    const html = pageFor(text);
    expect(tagsOf(html)).toEqual(tagsOf(pageFor('plain')));
    expect(html).not.toMatch(/<(script|img|iframe|link|object|embed|base|form)\b/i);
    expect([...html.matchAll(/<[^<>]*>/g)].filter(([tag]) => / on\w+=/.test(tag.replaceAll(/"[^"]*"/g, '""')))).toEqual([]);
    expect([...html.matchAll(/(?:href|src)="([^"]*)"/g)].every(([, url]) => url?.startsWith('https://assay.example.com/'))).toBe(true);
  });

  test('property: any text leaves the page’s structure alone', () => {
    const structure = tagsOf(renderHtml(reportOf([poisoned('plain')])));
    const anyText = fc.string({unit: fc.constantFrom('<', '>', '"', "'", '&', '/', 'a', ' ', '\n', ']', '-', '=', '`', '\u202e', '\u0000', 'script'), minLength: 1, maxLength: 12});
    fc.assert(
      fc.property(anyText, text => {
        expect(tagsOf(renderHtml(reportOf([poisoned(text)])))).toEqual(structure);
      }),
      {numRuns: 60},
    );
  });

  test('a link that is no web address is left out', () => {
    expect(renderHtml(reportOf([makeVerdict()], {publicUrl: 'javascript:alert(1)//'}))).not.toContain('href');
  });

  test.each(XSS)('Markdown: %j', text => {
    const lines = renderMarkdown(reportOf([poisoned(text)])).replaceAll(/(`{3,})\w*\n[\s\S]*?\n\1/g, '');
    expect(lines).not.toMatch(/(?<!\\)<(?!\/?https?:)/);
    const table = lines.split('\n').filter(line => line.startsWith('|'));
    const columns = new Set(table.slice(0, 3).map(line => line.replaceAll('\\|', '').split('|').length));
    expect(columns.size).toBe(1);
  });

  test('Markdown: no formatting, link, mention or end of a block comes from a name', () => {
    expect(markdownText('[x](https://evil.example) *b* _i_ `c` #h @here <!channel> a|b\nnew')).toBe(
      '\\[x\\](https\\://evil.example) \\*b\\* \\_i\\_ \\`c\\` \\#h @\u200bhere &lt;\\!channel&gt; a\\|b new',
    );
    expect(markdownBlock('a\n```\n# out', 'sql')).toBe('````sql\na\n```\n# out\n````');
  });

  test('invisible characters are shown, templates escape', () => {
    expect(visible('a\u202eb\u0000c\ud800d')).toBe('a\ufffdb\ufffdc\ufffdd');
    expect(markup`<i title="${'"<'}">${['&', markup`<b>${1}</b>`, null]}</i>`.toString()).toBe('<i title="&quot;&lt;">&amp;<b>1</b></i>');
  });
});

describe('every rendering', () => {
  const report = reportOf(nightRows(), {publicUrl: 'https://assay.example.com/'});
  const html = renderHtml(report);
  const markdown = renderMarkdown(report);

  test('starts with the decision and why', () => {
    expect(markdown.split('\n')[0]).toMatch(/^# Alert · Roll back v2 in answer-model: guardrail latency\\_p95 is worse/);
    expect(/<h1>(.*?)<\/h1>/.exec(html)?.[1]?.replaceAll(/<[^>]*>/g, '')).toMatch(/^Alert · Roll back v2 in answer-model/);
    expect(/<title>(.*?)<\/title>/.exec(html)?.[1]).toMatch(/^Alert · Roll back v2/);
  });

  test('carries audit state, data-through time, offsets, SQL and the replay command', () => {
    for (const text of [html, markdown]) {
      expect(text).toContain('0 mismatches in 480 slices checked');
      expect(text).toContain('2026-11-21 07:59:58 UTC');
      expect(text).toContain('[0, 81234)'.replaceAll('[', text === markdown ? '\\[' : '['));
      expect(text).toContain('FROM v_outcomes');
      expect(text).toContain('assay replay 0199f0c2-latency_p95-v2');
    }
    expect(renderJson(report)).toContain('"slices_checked": 480');
  });

  test('puts health above numbers', () => {
    for (const text of [html, markdown]) expect(text.indexOf('Traffic split')).toBeLessThan(text.indexOf('Reads as'));
  });

  test('says not computable, and why', () => {
    for (const text of [renderHtml(reportOf([emptyRow()])), renderMarkdown(reportOf([emptyRow()]))]) expect(text).toContain('not computable: insufficient data');
    expect(renderHtml(reportOf([emptyRow()]))).not.toMatch(/NaN|undefined|null/);
    expect(html).not.toMatch(/NaN|undefined|\bnull\b/);
  });

  test('is the same bytes for the same rows', () => {
    expect(renderHtml(reportOf(nightRows(), {publicUrl: 'https://assay.example.com/'}))).toBe(html);
  });

  test('tables have captions and scopes, ids are unique', () => {
    const count = (pattern: RegExp): number => [...html.matchAll(pattern)].length;
    expect(count(/<table/g)).toBe(count(/<caption>/g));
    expect(count(/<th [^>]*scope=/g)).toBe(count(/<th[ >]/g));
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('figures', () => {
  const unit = {symbol: 'ms', isShare: false};

  test('a box per arm, in order of its values', () => {
    const svg = boxPlotSvg({id: 'x', metric: 'latency_ms', unit, arms: [makeArm('v1'), makeArm('v2')]}).toString();
    const boxes = [...svg.matchAll(/<rect class="box" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
    expect(boxes).toHaveLength(2);
    const [left = 0, width = 0] = (boxes[0] ?? []).slice(1).map(Number);
    const whiskers = [...svg.matchAll(/<line class="cap" x1="([\d.]+)"/g)].map(([, x]) => Number(x));
    const median = Number(/<line class="median" x1="([\d.]+)"/.exec(svg)?.[1]);
    expect(whiskers[0]).toBeLessThan(left);
    expect(whiskers[1]).toBeGreaterThan(left + width);
    expect(median).toBeGreaterThan(left);
    expect(median).toBeLessThan(left + width);
    expect(svg).toContain('latency_ms (ms)');
    expect(svg).toMatch(/<desc id="x-desc">v1: n 8,120, whiskers 0.52 ms to 1 ms, quartiles 0.74 ms, 0.82 ms, 0.89 ms, mean 0.812 ms/);
  });

  test('equal values, one arm and no data are drawn too', () => {
    const flat = makeArm('v1', {mean: 5, p25: 5, p50: 5, p75: 5, whisker_low: 5, whisker_high: 5});
    expect(boxPlotSvg({id: 'x', metric: 'm', unit, arms: [flat]}).toString()).toContain('class="box"');
    expect(boxPlotSvg({id: 'x', metric: 'm', unit, arms: []}).toString()).toContain('<svg');
    expect(boxPlotSvg({id: 'x', metric: 'm', unit, arms: [makeArm('v1', {p25: null})]}).toString()).toContain('not computable');
  });

  test('an interval with an infinite end, and the tolerance', () => {
    const metric = reportOf([makeVerdict({cs_high: Infinity, analysis: {tolerance: 0.02}})]).experiments[0]?.metrics[0];
    const svg = metric === undefined ? '' : intervalSvg({id: 'x', metric}).toString();
    expect(svg).toContain('class="tolerance"');
    expect(svg).toContain('class="always-valid"');
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test('property: no figure ever holds a number that is none', () => {
    const value = fc.option(fc.double({noNaN: false}), {nil: null});
    fc.assert(
      fc.property(fc.record({cs_low: value, cs_high: value, ci_low: value, ci_high: value, effect_absolute: value}), numbers => {
        const html = renderHtml(reportOf([makeVerdict(numbers)]));
        expect([...html.matchAll(/ (?:x1?2?|y1?2?|cx|cy|width|height)="([^"]*)"/g)].every(([, text]) => Number.isFinite(Number(text)))).toBe(true);
      }),
      {numRuns: 80},
    );
  });
});

describe('the gate of browser tests', () => {
  test('runs with a browser, skips without one, fails in CI without one', () => {
    expect(browserGate('/usr/bin/chromium', true)).toBe('run');
    expect(browserGate(null, false)).toBe('skip');
    expect(browserGate(null, true)).toBe('fail');
    expect(findChromium([undefined, '', '/nowhere/chromium'])).toBe(null);
  });
});
