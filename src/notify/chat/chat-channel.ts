import type {Language} from '../../config/webhooks.ts';
import {textsOf} from '../../report/languages.ts';
import type {Attempt, Channel, Composed, DeliveryResult, Digesting, Notice, OutboundMessage} from '../channel.ts';
import {type Endpoint, type Judgement, judgeStatus, postMessage} from '../post-message.ts';
import type {PostAnswer} from '../safe-fetch.ts';
import {type ChatMessage, chatMessage} from './chat-message.ts';
import {CHINESE_CHAT} from './texts-zh.ts';
import {type ChatTexts, ENGLISH_CHAT} from './texts.ts';

export type ChatChannelOptions = Endpoint & {
  readonly name: string;
  readonly language: Language;
  /** The robot's signing secret, when it has one. */
  readonly secret?: string;
};

const PICTURE_REFUSED = 400;

const CHAT_TEXTS: Readonly<Record<Language, ChatTexts>> = {en: ENGLISH_CHAT, zh: CHINESE_CHAT};

/** What differs between chat services. */
export type ChatService<Payload> = {
  readonly kind: string;
  readonly digesting?: Digesting;
  readonly payload: (message: ChatMessage, texts: ChatTexts) => Payload;
  /** The payload that shows the message's id, so that a reader can tell a repeated message. */
  readonly withId: (payload: Payload, id: string, texts: ChatTexts) => Payload;
  /** Signs; by default the URL and the payload go as they are. */
  readonly sign?: (payload: Payload, attempt: Attempt) => {readonly url?: string; readonly payload: Payload};
  /** The payload without the picture that the service would have to fetch; null when there is none. */
  readonly withoutPicture?: (payload: Payload) => Payload | null;
  /** A message that goes after a delivered one, as bytes that the first cannot hold. Nothing is tried again for it. */
  readonly followUp?: (composed: Payload, attempt: Attempt) => object | null;
  /** What a 2xx answer says in its body: these services answer 200 to what they refuse. */
  readonly judgeBody: (answer: PostAnswer) => Judgement;
};

/** A channel whose messages are read by people in a chat. */
export function chatChannel<Payload extends object>(options: ChatChannelOptions, service: ChatService<Payload>): Channel {
  const chat = CHAT_TEXTS[options.language];
  const report = textsOf(options.language);
  return {
    kind: service.kind,
    name: options.name,
    ...(service.digesting === undefined ? {} : {digesting: service.digesting}),
    ...(service.followUp === undefined ? {} : {takesPictures: true}),
    compose: (notice: Notice): Composed => ({
      body: JSON.stringify(service.payload(chatMessage(notice, {chat, report}), chat)),
      contentType: 'application/json; charset=utf-8',
    }),
    deliver: async ({deliveryId, body, contentType}: OutboundMessage, attempt: Attempt): Promise<DeliveryResult> => {
      const composed = JSON.parse(body) as Payload;
      const post = (payload: object, url?: string): Promise<DeliveryResult> =>
        postMessage({...(url === undefined ? {} : {url}), headers: {'content-type': contentType}, body: JSON.stringify(payload)}, options, answer => {
          const byStatus = judgeStatus(answer);
          return byStatus.outcome === 'delivered' ? service.judgeBody(answer) : byStatus;
        });
      const send = (shown: Payload): Promise<DeliveryResult> => {
        const {url, payload} = service.sign?.(shown, attempt) ?? {payload: shown};
        return post(payload, url);
      };
      const shown = service.withId(composed, deliveryId, chat);
      const result = await send(shown);
      if (result.outcome === 'delivered') {
        const follow = service.followUp?.(composed, attempt) ?? null;
        if (follow !== null) await post(follow);
        return result;
      }
      // A service that cannot fetch the picture refuses all of the message: the words matter more.
      const plain = result.outcome === 'failed' && result.status === PICTURE_REFUSED ? (service.withoutPicture?.(shown) ?? null) : null;
      return plain === null ? result : send(plain);
    },
  };
}

export type CodeRules = {
  /** The body's fields that may hold the code; 0 is success. */
  readonly fields: readonly string[];
  readonly messages: readonly string[];
  /** Codes that ask for fewer messages, with the rest they impose. */
  readonly slowDown: Readonly<Record<number, number>>;
};

/** Success is a code of 0 in a JSON body; a body without one is no success. */
export function judgeCode({body, status}: PostAnswer, {fields, messages, slowDown}: CodeRules): Judgement {
  const parsed = parseObject(body);
  const codes = fields.flatMap(field => (typeof parsed?.[field] === 'number' ? [parsed[field]] : []));
  if (codes.length === 0) return {outcome: 'failed', error: `answered ${status} without ${fields.join(' or ')}: not a robot's answer`, isSlowDown: false};
  const code = codes.find(one => one !== 0);
  if (code === undefined) return {outcome: 'delivered'};
  const said = messages.map(field => parsed?.[field]).find(text => typeof text === 'string' && text !== '');
  const rest = slowDown[code];
  const failed = {outcome: 'failed', error: `answered ${status} with code ${code}${said === undefined ? '' : `: ${String(said)}`}`} as const;
  return rest === undefined ? {...failed, isSlowDown: false} : {...failed, isSlowDown: true, retryAfterMs: rest};
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
