import {createHmac} from 'node:crypto';
import {type ChatChannelOptions, chatChannel, judgeCode} from '../chat/chat-channel.ts';
import {fitLines, oneLine} from '../chat/fit.ts';
import type {Channel} from '../channel.ts';

type Element = Readonly<Record<string, unknown>>;
type Card = {readonly config: Element; readonly header: Element; readonly elements: readonly Element[]};
type FeishuPayload = {readonly timestamp?: string; readonly sign?: string; readonly msg_type: 'interactive'; readonly card: Card};

/** Feishu refuses a request of more than 20 KiB; the rest is the card's frame and JSON's escapes. */
const LINES_BYTES_MAX = 12_000;
const TITLE_CHARS_MAX = 200;

const TEMPLATE = {good: 'green', bad: 'red', neutral: 'blue'} as const;

const plain = (content: string): Element => ({tag: 'plain_text', content});

/**
 * Feishu (Lark) custom robots with a card. All text is `plain_text`: nothing in it is parsed.
 * Success is 200 and `code` (in older answers `StatusCode`) 0; a robot takes 100 messages a
 * minute and five a second (11232 or 9499 beyond).
 */
export const feishuChannel = (options: ChatChannelOptions): Channel =>
  chatChannel<FeishuPayload>(options, {
    kind: 'feishu',
    payload: (message, texts) => {
      const lines = fitLines(message, {
        texts,
        bytesMax: LINES_BYTES_MAX,
        line: ({label, text}): Element => ({tag: 'div', text: plain(label === '' ? text : `${label}: ${text}`)}),
        sizeOf: parts => Buffer.byteLength(JSON.stringify(parts)),
      });
      const {chart, link} = message;
      const button = (text: string, url: string, type: string): Element => ({tag: 'button', text: plain(text), url, type});
      // A card shows only pictures that were uploaded by an app; a robot has none, so the chart is a link.
      const buttons = [
        ...(link === null ? [] : [button(texts.label.open, link, message.tone === 'bad' ? 'danger' : 'primary')]),
        ...(chart === null ? [] : [button(texts.label.chart, chart.url, 'default')]),
      ];
      return {
        msg_type: 'interactive',
        card: {
          config: {wide_screen_mode: true},
          header: {title: plain(oneLine(message.title, TITLE_CHARS_MAX)), template: TEMPLATE[message.tone]},
          elements: [...lines, ...(buttons.length === 0 ? [] : [{tag: 'action', actions: buttons}])],
        },
      };
    },
    withId: (payload, id, texts) => ({
      ...payload,
      card: {...payload.card, elements: [...payload.card.elements, {tag: 'note', elements: [plain(`${texts.label.id} ${id}`)]}]},
    }),
    ...(options.secret === undefined
      ? {}
      : {sign: (payload: FeishuPayload, {at}: {readonly at: number}) => ({payload: {...signature(options.secret ?? '', at), ...payload}})}),
    judgeBody: answer => judgeCode(answer, {fields: ['code', 'StatusCode'], messages: ['msg', 'StatusMessage'], slowDown: {11232: 60_000, 9499: 30_000, 99991400: 60_000}}),
  });

/** Feishu's own way: the HMAC-SHA256 of nothing, with `timestamp` (s), a line feed and the secret as the key. */
export function signature(secret: string, at: number): {readonly timestamp: string; readonly sign: string} {
  const timestamp = String(Math.floor(at / 1000));
  return {timestamp, sign: createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64')};
}
