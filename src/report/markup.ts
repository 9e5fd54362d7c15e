/**
 * Escaping in one place. Names of experiments, variants and metrics come from
 * services: nothing of theirs may become markup, in HTML, SVG or Markdown.
 */

/** Text that is already markup. Only `markup` makes it, so escaping cannot be forgotten. */
export class Markup {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  toString(): string {
    return this.#text;
  }
}

export type MarkupPart = string | number | Markup | readonly MarkupPart[] | null;

/** A template whose values are escaped unless they are markup themselves. */
export function markup(strings: TemplateStringsArray, ...values: readonly MarkupPart[]): Markup {
  return new Markup(strings.map((text, index) => `${text}${index < values.length ? render(values[index] ?? null) : ''}`).join(''));
}

function render(part: MarkupPart): string {
  if (part === null) return '';
  if (part instanceof Markup) return part.toString();
  if (typeof part === 'object') return part.map(render).join('');
  return escapeText(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};

/** For element content and quoted attributes, in HTML and SVG. */
export const escapeText = (text: string): string =>
  visible(text).replaceAll(/[&<>"']/g, character => ENTITIES[character] ?? '');

/** Control characters and those that turn the reading direction become U+FFFD; lone surrogates too. */
export const visible = (text: string): string =>
  text
    .replaceAll(/\p{Surrogate}/gu, '\ufffd')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not pass
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g, '\ufffd');

/** On one line, with every character that Markdown or a chat's dialect of it could act on disarmed. */
export const markdownText = (text: string): string =>
  visible(text)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*_[\]{}#|~!^$]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '@\u200b')
    .replaceAll('://', '\\://')
    .replaceAll(/www\./gi, 'www\\.');

/** A fenced block that its content cannot close. */
export function markdownBlock(content: string, language: string): string {
  const text = visible(content);
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}
