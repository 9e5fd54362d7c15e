import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {expect, test} from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs'), {recursive: true, encoding: 'utf8'}).filter(path => path.endsWith('.md')).map(path => `docs/${path}`)];

/** As the pages that render Markdown name a heading. */
const anchorOf = (heading: string): string => heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');

function brokenIn(document: string, text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? join(ROOT, document) : join(ROOT, dirname(document), path);
    if (!existsSync(target)) return [`${document}: ${link}`];
    if (anchor === undefined || !target.endsWith('.md')) return [];
    const headings = [...(target === join(ROOT, document) ? text : readFileSync(target, 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
    return headings.includes(anchor) ? [] : [`${document}: ${link}`];
  });
}

test.each(DOCUMENTS)('links of %s lead somewhere', document => {
  expect(brokenIn(document, readFileSync(join(ROOT, document), 'utf8'))).toEqual([]);
});

test('a link to nothing is found', () => {
  expect(brokenIn('README.md', '# A b\n[x](no.md) [y](#a-b) [z](#c)')).toEqual(['README.md: no.md', 'README.md: #c']);
});
