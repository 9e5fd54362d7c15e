import type {ServerResponse} from 'node:http';
import type {Clock} from '../../src/core/clock.ts';
import {openWebhookReceiver, type WebhookReceiver} from '../../src/notify/receiver.ts';

/** How a receiver behaves for one request; the last of a script repeats. */
export type Behaviour =
  | {readonly kind: 'ok'}
  | {readonly kind: 'status'; readonly status: number; readonly retryAfter?: string; readonly location?: string}
  /** Takes the request and never answers. */
  | {readonly kind: 'hang'}
  /** Sends its status, then a byte now and then, without end. */
  | {readonly kind: 'trickle'; readonly everyMs: number}
  /** Sends a 200 and bytes until it is cut off. */
  | {readonly kind: 'huge'; readonly bytes: number}
  /** Takes the request, then cuts the connection without an answer. */
  | {readonly kind: 'reset'};

export type ScriptedReceiver = WebhookReceiver & {
  /** Behaviours from now on, one per request; the last one stays. */
  play(...script: readonly Behaviour[]): void;
  /** Bytes of answers that left this receiver. */
  readonly bytesSent: () => number;
};

export const TEST_SECRET = `whsec_${Buffer.from('a test secret of thirty-two bytes').toString('base64')}`;

/** A real HTTP receiver on loopback that verifies signatures, records what came and misbehaves on demand. */
export async function openScriptedReceiver(clock: Clock, secret = TEST_SECRET): Promise<ScriptedReceiver> {
  let script: readonly Behaviour[] = [{kind: 'ok'}];
  let bytesSent = 0;
  const timers = new Set<NodeJS.Timeout>();
  const receiver = await openWebhookReceiver({
    secret,
    clock,
    respond: (received, response, request) => {
      const [behaviour = {kind: 'ok'} as const, ...rest] = script;
      if (rest.length > 0) script = rest;
      if (behaviour.kind === 'ok') response.writeHead(received.verified.isValid ? 204 : 401).end();
      else if (behaviour.kind === 'status') response.writeHead(behaviour.status, headersOf(behaviour)).end('an answer');
      else if (behaviour.kind === 'reset') request.socket.resetAndDestroy();
      else if (behaviour.kind === 'trickle') timers.add(trickle(response, behaviour.everyMs));
      else if (behaviour.kind === 'huge') flood(response, behaviour.bytes, sent => (bytesSent += sent));
    },
  });
  return {
    ...receiver,
    play: (...next) => {
      script = next;
    },
    bytesSent: () => bytesSent,
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      await receiver.close();
    },
  };
}

function headersOf({retryAfter, location}: {readonly retryAfter?: string; readonly location?: string}): Record<string, string> {
  return {...(retryAfter === undefined ? {} : {'retry-after': retryAfter}), ...(location === undefined ? {} : {location})};
}

function trickle(response: ServerResponse, everyMs: number): NodeJS.Timeout {
  response.writeHead(200, {'content-type': 'text/plain'});
  const timer = setInterval(() => response.write('.'), everyMs);
  response.on('close', () => clearInterval(timer));
  return timer;
}

function flood(response: ServerResponse, bytes: number, sent: (bytes: number) => void): void {
  const chunk = Buffer.alloc(64 * 1024, 0x2e);
  response.writeHead(200, {'content-type': 'text/plain'});
  let left = bytes;
  const pump = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= chunk.length;
      sent(chunk.length);
      if (!response.write(chunk)) {
        response.once('drain', pump);
        return;
      }
    }
    response.end();
  };
  pump();
}
