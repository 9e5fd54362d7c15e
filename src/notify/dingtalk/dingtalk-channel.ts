import {createHmac} from 'node:crypto';
import {type ChatChannelOptions, chatChannel, judgeCode} from '../chat/chat-channel.ts';
import type {ChatMessage} from '../chat/chat-message.ts';
import {cutBytes, disarmed, fitLines, oneLine} from '../chat/fit.ts';
import {CHINESE_CHAT} from '../chat/texts-zh.ts';
import {type ChatTexts, ENGLISH_CHAT} from '../chat/texts.ts';
import type {Channel, OutboundMessage} from '../channel.ts';

type DingtalkPayload = {readonly msgtype: 'markdown'; readonly markdown: {readonly title: string; readonly text: string}};

/** DingTalk refuses a request of more than 20 000 bytes; half of it leaves room for JSON's escapes. */
const TEXT_BYTES_MAX = 10_000;
const TITLE_CHARS_MAX = 300;
/** Shown in the list of conversations. */
const SUMMARY_CHARS_MAX = 60;

const payloadOf = (title: string, text: string): DingtalkPayload => ({msgtype: 'markdown', markdown: {title, text}});

/**
 * DingTalk custom robots. Success is 200 and `errcode` 0. A robot that gets more than 20
 * messages in a minute is shut out for ten (130101), so posts keep 3.2 s apart and what
 * waits meanwhile goes out as one.
 */
export const dingtalkChannel = (options: ChatChannelOptions): Channel => {
  const texts = options.language === 'zh' ? CHINESE_CHAT : ENGLISH_CHAT;
  return chatChannel<DingtalkPayload>(options, {
    kind: 'dingtalk',
    digesting: {everyMs: 3_200, messagesMax: 10, combine: messages => combine(messages, texts)},
    payload: message => payloadOf(disarmed(oneLine(message.title, SUMMARY_CHARS_MAX)), textOf(message, texts)),
    withId: ({markdown}, id) => payloadOf(markdown.title, `${markdown.text}\n\n> ${texts.label.id} ${id}`),
    ...(options.secret === undefined
      ? {}
      : {sign: (payload: DingtalkPayload, {at}: {readonly at: number}) => ({url: signedUrl(options.url, options.secret ?? '', at), payload})}),
    judgeBody: answer => judgeCode(answer, {fields: ['errcode'], messages: ['errmsg'], slowDown: {130101: 600_000, 130102: 600_000, 410100: 60_000}}),
  });
};

/** `timestamp` (ms) and `sign` = base64(HMAC-SHA256(secret, timestamp\nsecret)) in the query. */
export function signedUrl(url: string, secret: string, at: number): string {
  const signed = new URL(url);
  signed.searchParams.set('timestamp', String(at));
  signed.searchParams.set('sign', createHmac('sha256', secret).update(`${at}\n${secret}`).digest('base64'));
  return signed.href;
}

function textOf(message: ChatMessage, texts: ChatTexts): string {
  const title = `### ${disarmed(oneLine(message.title, TITLE_CHARS_MAX))}`;
  const {chart, link} = message;
  const tail = [
    ...(chart === null ? [] : [`${chart.isPublic ? '!' : ''}[${texts.label.chart}](${chart.url})`]),
    ...(link === null ? [] : [`[${texts.label.open}](${link})`]),
  ];
  const whole = (lines: readonly string[]): string => [title, ...lines, ...tail].join('\n\n');
  const lines = fitLines(message, {
    texts,
    bytesMax: TEXT_BYTES_MAX,
    line: ({label, text}) => `${label === '' ? '' : `**${disarmed(label)}**: `}${disarmed(text)}`,
    sizeOf: parts => Buffer.byteLength(whole(parts)),
  });
  return whole(lines);
}

/** Each message keeps its beginning and shows its own id. */
function combine(messages: readonly OutboundMessage[], texts: ChatTexts): OutboundMessage {
  const share = Math.floor(TEXT_BYTES_MAX / messages.length) - 100;
  const parts = messages.map(({deliveryId, body}) => {
    const {markdown} = JSON.parse(body) as DingtalkPayload;
    return `${cutBytes(markdown.text, share)}\n\n> ${texts.label.id} ${deliveryId}`;
  });
  const title = texts.digestTitle(messages.length);
  return {
    deliveryId: messages.map(({deliveryId}) => deliveryId.slice(0, 12)).join(' '),
    contentType: messages[0]?.contentType ?? '',
    body: JSON.stringify(payloadOf(title, [`### ${title}`, ...parts].join('\n\n---\n\n'))),
  };
}
