import {type ChatChannelOptions, chatChannel, judgeCode} from '../chat/chat-channel.ts';
import type {ChatMessage} from '../chat/chat-message.ts';
import {cutBytes, disarmed, fitLines, oneLine} from '../chat/fit.ts';
import type {ChatTexts} from '../chat/texts.ts';
import type {Channel, OutboundMessage} from '../channel.ts';

type WecomPayload = {readonly msgtype: 'markdown'; readonly markdown: {readonly content: string}};

/** A robot's Markdown has 4 096 bytes; the id's line comes on top. */
const CONTENT_BYTES_MAX = 4_096 - 120;
const TITLE_CHARS_MAX = 300;

const COLOUR = {good: 'info', bad: 'warning', neutral: 'comment'} as const;

const payloadOf = (content: string): WecomPayload => ({msgtype: 'markdown', markdown: {content}});

/**
 * WeCom group robots. Success is 200 and `errcode` 0; a robot takes 20 messages a minute
 * (45009 beyond), so what waits goes out as one message.
 */
export const wecomChannel = (options: ChatChannelOptions): Channel =>
  chatChannel<WecomPayload>(options, {
    kind: 'wecom',
    digesting: {everyMs: 3_200, messagesMax: 4, combine},
    payload: (message, texts) => payloadOf(content(message, texts)),
    withId: ({markdown}, id, texts) => payloadOf(`${markdown.content}\n<font color="comment">${texts.label.id} ${id}</font>`),
    judgeBody: answer => judgeCode(answer, {fields: ['errcode'], messages: ['errmsg'], slowDown: {45009: 60_000, 45033: 60_000}}),
  });

function content(message: ChatMessage, texts: ChatTexts): string {
  const title = `### <font color="${COLOUR[message.tone]}">${disarmed(oneLine(message.title, TITLE_CHARS_MAX))}</font>`;
  const tail = message.link === null ? [] : [`[${texts.label.open}](${message.link})`];
  const whole = (lines: readonly string[]): string => [title, ...lines, ...tail].join('\n');
  const lines = fitLines(message, {
    texts,
    bytesMax: CONTENT_BYTES_MAX,
    line: ({label, text}) => `> ${label === '' ? '' : `**${disarmed(label)}**: `}${disarmed(text)}`,
    sizeOf: parts => Buffer.byteLength(whole(parts)),
  });
  return whole(lines);
}

/** Each message keeps its beginning. */
function combine(messages: readonly OutboundMessage[]): OutboundMessage {
  const share = Math.floor(CONTENT_BYTES_MAX / messages.length) - 80;
  const parts = messages.map(({deliveryId, body}) => {
    const {markdown} = JSON.parse(body) as WecomPayload;
    return `${wholeLines(markdown.content, share)}\n<font color="comment">${deliveryId}</font>`;
  });
  return {deliveryId: messages.map(({deliveryId}) => deliveryId.slice(0, 12)).join(' '), contentType: messages[0]?.contentType ?? '', body: JSON.stringify(payloadOf(parts.join('\n')))};
}

/** A line that is cut could leave a tag open. */
function wholeLines(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const kept: string[] = [];
  for (const line of text.split('\n')) {
    if (Buffer.byteLength([...kept, line, '> …'].join('\n')) > bytesMax) break;
    kept.push(line);
  }
  return kept.length === 0 ? cutBytes(text.replaceAll(/<[^>\u200b]*>|^### /g, ''), bytesMax) : [...kept, '> …'].join('\n');
}
