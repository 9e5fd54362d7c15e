import type {Channel} from '../channel.ts';
import type {Judgement} from '../post-message.ts';
import type {PostAnswer} from '../safe-fetch.ts';
import {type ChatChannelOptions, chatChannel} from '../chat/chat-channel.ts';
import type {ChatLine} from '../chat/chat-message.ts';
import {fitLines, oneLine} from '../chat/fit.ts';

type TextElement = {readonly type: 'text'; readonly text: string; readonly style?: {readonly bold: true}};
type Block = Readonly<Record<string, unknown>>;
type SlackPayload = {readonly text: string; readonly blocks: readonly Block[]};

/** Of a header block, by Slack's reference. */
const HEADER_CHARS_MAX = 150;
/** Of a notification's text; Slack cuts at 40 000 and advises 4 000. */
const TEXT_CHARS_MAX = 300;
/** Slack refuses a section of more than 3 000 characters; the whole list stays below it. */
const LINES_BYTES_MAX = 2_900;
/** Of a picture's description; Slack takes 2 000. */
const ALT_CHARS_MAX = 500;

/**
 * Incoming webhooks with Block Kit. Lines are `rich_text` elements: nothing in them is
 * parsed, so a name can make neither a mention nor a link. Success is 200 and the body
 * `ok`; refusals come as 4xx with a word (`invalid_payload`, `no_service`), an archived
 * channel as 410.
 */
export const slackChannel = (options: ChatChannelOptions): Channel =>
  chatChannel<SlackPayload>(options, {
    kind: 'slack',
    payload: (message, texts) => {
      const lines = fitLines(message, {texts, bytesMax: LINES_BYTES_MAX, line: richLine, sizeOf: parts => Buffer.byteLength(parts.flat().map(({text}) => text).join(''))});
      const {chart, link} = message;
      const button = (text: string, url: string): Block => ({type: 'button', text: {type: 'plain_text', text}, url});
      const buttons = [
        ...(link === null ? [] : [{...button(texts.label.open, link), style: message.tone === 'bad' ? 'danger' : 'primary'}]),
        ...(chart === null || chart.isPublic ? [] : [button(texts.label.chart, chart.url)]),
      ];
      return {
        text: escaped(oneLine(message.title, TEXT_CHARS_MAX)),
        blocks: [
          {type: 'header', text: {type: 'plain_text', text: oneLine(message.title, HEADER_CHARS_MAX), emoji: false}},
          {type: 'rich_text', elements: [{type: 'rich_text_section', elements: lines.flat()}]},
          ...(chart?.isPublic === true ? [{type: 'image', image_url: chart.url, alt_text: oneLine(message.title, ALT_CHARS_MAX)}] : []),
          ...(buttons.length === 0 ? [] : [{type: 'actions', elements: buttons}]),
        ],
      };
    },
    withoutPicture: payload => {
      const blocks = payload.blocks.filter(({type}) => type !== 'image');
      return blocks.length === payload.blocks.length ? null : {...payload, blocks};
    },
    withId: (payload, id, texts) => ({
      ...payload,
      blocks: [...payload.blocks, {type: 'context', elements: [{type: 'plain_text', text: `${texts.label.id} ${id}`, emoji: false}]}],
    }),
    judgeBody,
  });

function richLine({label, text}: ChatLine): TextElement[] {
  const shown: TextElement = {type: 'text', text: `${text}\n`};
  return label === '' ? [shown] : [{type: 'text', text: `${label}: `, style: {bold: true}}, shown];
}

/** The only characters that Slack's text gives a meaning to. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function judgeBody({status, body}: PostAnswer): Judgement {
  if (body.trim() === 'ok') return {outcome: 'delivered'};
  return {outcome: 'failed', error: `answered ${status} with ${JSON.stringify(body.slice(0, 80))} in place of "ok"`, isSlowDown: body.includes('rate_limited')};
}
