// biome-ignore-all lint/suspicious/noExplicitAny: a service takes whatever JSON comes
import {createHash, createHmac} from 'node:crypto';
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {Clock} from '../../src/core/clock.ts';

/** What a chat robot answers. `body` as text goes out as it is. */
export type Answer = {readonly status: number; readonly body: unknown; readonly headers?: Record<string, string>};

export type RobotRequest = {readonly at: number; readonly url: URL; readonly body: string; readonly json: any};

/** How a service judges a request by its own published rules; null when there is nothing to object to. */
export type Robot = {readonly accept: (request: RobotRequest, earlier: readonly RobotRequest[]) => Answer | null; readonly ok: Answer};

export type ChatService = {
  readonly url: string;
  readonly port: number;
  readonly requests: RobotRequest[];
  /** Requests that the service showed to people. */
  readonly shown: RobotRequest[];
  /** The next answers, whatever is asked; afterwards the service judges again. */
  play(...script: readonly ((response: ServerResponse, request: IncomingMessage) => void)[]): void;
  close(): Promise<void>;
};

const PATH = '/hooks/robot-token-9f8e7d';
export const TOKEN = 'robot-token-9f8e7d';

/** A local receiver that behaves like a chat service. */
export async function openChatService(robot: Robot, clock: Clock): Promise<ChatService> {
  const requests: RobotRequest[] = [];
  const shown: RobotRequest[] = [];
  let script: readonly ((response: ServerResponse, request: IncomingMessage) => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const received = {at: clock.now(), url: new URL(request.url ?? '/', 'http://robot'), body, json: JSON.parse(body)};
      const objection = robot.accept(received, requests);
      requests.push(received);
      const [planned, ...rest] = script;
      script = rest;
      if (planned !== undefined) return planned(response, request);
      if (objection === null) shown.push(received);
      reply(response, objection ?? robot.ok);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const {port} = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${PATH}`,
    port, requests, shown,
    play: (...next) => {
      script = next;
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function reply(response: ServerResponse, {status, body, headers = {}}: Answer): void {
  const isText = typeof body === 'string';
  response.writeHead(status, {'content-type': isText ? 'text/plain' : 'application/json', ...headers}).end(isText ? body : JSON.stringify(body));
}

const bytes = (text: string): number => Buffer.byteLength(text);
const within = (at: number, earlier: readonly RobotRequest[], ms: number): number => earlier.filter(request => request.at > at - ms).length;

export const SLACK: Robot = {
  ok: {status: 200, body: 'ok'},
  accept: ({json}) => {
    const refuse = (word: string): Answer => ({status: 400, body: word});
    if (typeof json.text !== 'string' || !Array.isArray(json.blocks)) return refuse('no_text');
    if (json.blocks.length > 50) return refuse('invalid_blocks');
    for (const block of json.blocks) {
      if (block.type === 'header' && (block.text.type !== 'plain_text' || block.text.text === '' || block.text.text.length > 150)) return refuse('invalid_blocks');
      if (block.type === 'rich_text' && block.elements.some((element: any) => element.elements.length === 0 || element.elements.some((part: any) => part.type !== 'text' || part.text === ''))) return refuse('invalid_blocks');
      if (block.type === 'actions' && (block.elements.length === 0 || block.elements.some((button: any) => !/^https?:/.test(button.url)))) return refuse('invalid_blocks');
      // Slack downloads the picture before it takes the message.
      if (block.type === 'image' && (!/^https:\/\/(?!gone\.)/.test(block.image_url) || block.alt_text === '' || block.alt_text.length > 2_000)) return refuse('invalid_blocks');
    }
    return null;
  },
};

export const WECOM: Robot = {
  ok: {status: 200, body: {errcode: 0, errmsg: 'ok'}},
  accept: ({json, at}, earlier) => {
    const refuse = (errcode: number, errmsg: string): Answer => ({status: 200, body: {errcode, errmsg}});
    const limit = (): Answer | null => (within(at, earlier, 60_000) >= 20 ? refuse(45009, 'api freq out of limit') : null);
    if (json.picture !== undefined) return refuse(40063, 'some parameters are empty or unknown');
    if (json.msgtype === 'image') {
      const picture = Buffer.from(json.image.base64, 'base64');
      if (picture.length > 2 * 1024 * 1024) return refuse(40009, 'invalid image size');
      return createHash('md5').update(picture).digest('hex') === json.image.md5 ? limit() : refuse(301019, 'media file MD5 does not match');
    }
    if (json.msgtype !== 'markdown') return refuse(40008, 'invalid message type');
    if (bytes(json.markdown.content) > 4096) return refuse(40058, 'markdown.content exceed max length 4096');
    return limit();
  },
};

export const ROBOT_SECRET = 'SEC-of-a-robot';

export const FEISHU: Robot = {
  ok: {status: 200, body: {StatusCode: 0, StatusMessage: 'success', code: 0, data: {}, msg: 'success'}},
  accept: ({json, body, at}, earlier) => {
    const refuse = (code: number, msg: string): Answer => ({status: 200, body: {code, msg, data: {}}});
    const sign = createHmac('sha256', `${json.timestamp}\n${ROBOT_SECRET}`).digest('base64');
    if (json.sign !== sign || Math.abs(Number(json.timestamp) * 1000 - at) > 3_600_000) return refuse(19021, 'sign match fail or timestamp is not within one hour from current time');
    if (bytes(body) > 20 * 1024) return refuse(9499, 'Bad Request');
    if (json.msg_type !== 'interactive' || json.card.header.title.tag !== 'plain_text') return refuse(19002, 'params error, msg_type need');
    return within(at, earlier, 60_000) >= 100 ? refuse(11232, 'frequency limited psm[lark.oapi]') : null;
  },
};

export const DINGTALK: Robot = {
  ok: {status: 200, body: {errcode: 0, errmsg: 'ok'}},
  accept: ({json, body, at, url}, earlier) => {
    const refuse = (errcode: number, errmsg: string): Answer => ({status: 200, body: {errcode, errmsg}});
    const timestamp = url.searchParams.get('timestamp') ?? '';
    const sign = createHmac('sha256', ROBOT_SECRET).update(`${timestamp}\n${ROBOT_SECRET}`).digest('base64');
    if (url.searchParams.get('sign') !== sign) return refuse(310000, 'sign not match, more: [https://ding-doc.dingtalk.com]');
    if (Math.abs(Number(timestamp) - at) > 3_600_000) return refuse(310000, 'invalid timestamp');
    if (bytes(body) > 20_000) return refuse(460101, 'message too long, exceed 20000 bytes');
    if (json.msgtype !== 'markdown' || json.markdown.title === '') return refuse(40035, 'invalid parameter');
    return within(at, earlier, 60_000) >= 20 ? refuse(130101, 'send too fast, exceed 20 times per minute') : null;
  },
};
