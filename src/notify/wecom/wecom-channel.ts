import {createHash} from 'node:crypto';
import {type ChatChannelOptions, chatChannel, judgeCode} from '../chat/chat-channel.ts';
import type {ChatMessage} from '../chat/chat-message.ts';
import {cutBytes, disarmed, fitLines, oneLine} from '../chat/fit.ts';
import type {ChatTexts} from '../chat/texts.ts';
import type {Channel, OutboundMessage} from '../channel.ts';

type WecomPayload = {readonly msgtype: 'markdown'; readonly markdown: {readonly content: string}; /** Kept for the message that follows; base64. */ readonly picture?: string};

/** A robot's Markdown has 4 096 bytes; the id's line comes on top. */
const CONTENT_BYTES_MAX = 4_096 - 120;
const TITLE_CHARS_MAX = 300;
/** Of an image message, by WeCom's reference 2 MB; a chart has some 50 KB. */
const PICTURE_BYTES_MAX = 512 * 1024;
/** One every 3.2 s and a picture a minute stay below the robot's 20 messages a minute. */
const PICTURE_EVERY_MS = 60_000;

const COLOUR = {good: 'info', bad: 'warning', neutral: 'comment'} as const;

const payloadOf = (content: string): WecomPayload => ({msgtype: 'markdown', markdown: {content}});

/**
 * WeCom group robots. Success is 200 and `errcode` 0; a robot takes 20 messages a minute
 * (45009 beyond), so what waits goes out as one message.
 */
export const wecomChannel = (options: ChatChannelOptions): Channel => {
  let pictureAt = Number.NEGATIVE_INFINITY;
  return chatChannel<WecomPayload>(options, {
    kind: 'wecom',
    digesting: {everyMs: 3_200, messagesMax: 4, combine},
    payload: (message, texts) => ({
      ...payloadOf(content(message, texts)),
      ...(message.picture === null || message.picture.length > PICTURE_BYTES_MAX ? {} : {picture: Buffer.from(message.picture).toString('base64')}),
    }),
    followUp: ({picture}, {at}) => {
      if (picture === undefined || at - pictureAt < PICTURE_EVERY_MS) return null;
      pictureAt = at;
      return {msgtype: 'image', image: {base64: picture, md5: createHash('md5').update(Buffer.from(picture, 'base64')).digest('hex')}};
    },
    withId: ({markdown}, id, texts) => payloadOf(`${markdown.content}\n<font color="comment">${texts.label.id} ${id}</font>`),
    judgeBody: answer => judgeCode(answer, {fields: ['errcode'], messages: ['errmsg'], slowDown: {45009: 60_000, 45033: 60_000}}),
  });
};

function content(message: ChatMessage, texts: ChatTexts): string {
  const title = `### <font color="${COLOUR[message.tone]}">${disarmed(oneLine(message.title, TITLE_CHARS_MAX))}</font>`;
  const {chart, link} = message;
  const tail = [
    ...(chart === null ? [] : [`[${texts.label.chart}](${chart.url})`]),
    ...(link === null ? [] : [`[${texts.label.open}](${link})`]),
  ];
  const whole = (lines: readonly string[]): string => [title, ...lines, ...tail].join('\n');
  const lines = fitLines(message, {
    texts,
    bytesMax: CONTENT_BYTES_MAX,
    line: ({label, text}) => `> ${label === '' ? '' : `**${disarmed(label)}**: `}${disarmed(text)}`,
    sizeOf: parts => Buffer.byteLength(whole(parts)),
  });
  return whole(lines);
}

/** Each message keeps its beginning; pictures are left out, they would be taken for the last one's. */
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
