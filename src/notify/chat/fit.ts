import {visible} from '../../report/markup.ts';
import type {ChatLine, ChatMessage} from './chat-message.ts';
import type {ChatTexts} from './texts.ts';

/** Text on one line, cut to a length that is counted in characters as people see them. */
export function oneLine(text: string, charsMax: number): string {
  const characters = [...visible(text).replaceAll(/\s+/g, ' ').trim()];
  return characters.length <= charsMax ? characters.join('') : `${characters.slice(0, charsMax - 1).join('')}…`;
}

/**
 * Disarms what WeCom's and DingTalk's Markdown act on and cannot escape: a zero-width
 * space breaks mentions, links, tags, emphasis, headings and quotes.
 */
export const disarmed = (text: string): string =>
  text
    .replaceAll(/[<@*`!\]#>~]/g, '$&\u200b')
    .replaceAll('://', ':\u200b//')
    .replaceAll(/__/g, '_\u200b_')
    .replaceAll(/www\./gi, 'www\u200b.');

const LINE_CHARS_MAX = 400;

export type Form<Part> = {
  readonly texts: ChatTexts;
  readonly bytesMax: number;
  readonly line: (line: ChatLine) => Part;
  /** Bytes of the message with these parts in it. */
  readonly sizeOf: (parts: readonly Part[]) => number;
};

/**
 * As many lines, from the first on, as fit; when some do not, the last line says so and
 * where all of them are.
 */
export function fitLines<Part>({lines, link, command}: ChatMessage, {texts, bytesMax, line, sizeOf}: Form<Part>): Part[] {
  const parts = lines.map(({label, text}) => line({label, text: oneLine(text, LINE_CHARS_MAX)}));
  if (sizeOf(parts) <= bytesMax) return parts;
  const shortened = line({label: '', text: link === null ? texts.shortenedRun(command) : texts.shortened});
  let kept = parts.length;
  while (kept > 0 && sizeOf([...parts.slice(0, kept), shortened]) > bytesMax) kept -= 1;
  return [...parts.slice(0, kept), shortened];
}

/** Cut at a character, to bytes of UTF-8. */
export function cutBytes(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesMax - 3) break;
    end += character.length;
  }
  return `${text.slice(0, end)}…`;
}
