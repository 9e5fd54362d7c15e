import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {Clock} from '../core/clock.ts';
import {assert} from '../core/assert.ts';
import type {EpochMs} from '../core/units.ts';
import {NOTIFY_LIMITS} from './limits.ts';
import {type VerifyResult, verifyWebhook} from './sign-webhook.ts';

export type ReceivedWebhook = {
  readonly at: EpochMs;
  readonly id: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  readonly verified: VerifyResult;
};

export type ReceiverOptions = {
  readonly secret: string;
  readonly clock: Clock;
  /** 0 (default) takes a free port. */
  readonly port?: number;
  /** Answers a verified or refused request; by default 204, or 401 when the signature is wrong. */
  readonly respond?: (received: ReceivedWebhook, response: ServerResponse, request: IncomingMessage) => void;
  readonly onReceived?: (received: ReceivedWebhook) => void;
};

export type WebhookReceiver = {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  readonly port: number;
  /** The newest, at most `NOTIFY_LIMITS.receivedMax`, in order of arrival. */
  readonly received: readonly ReceivedWebhook[];
  close(): Promise<void>;
};

/**
 * A webhook receiver on the loopback interface, for the demo and for tests: checks every
 * signature and keeps what came. Not a service for others: it binds to 127.0.0.1 only.
 */
export async function openWebhookReceiver(options: ReceiverOptions): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  const server = createServer((request, response) => {
    readBody(request, body => {
      if (body === null) {
        response.writeHead(413).end();
        return;
      }
      const webhook = inspect(request, body, options);
      received.push(webhook);
      if (received.length > NOTIFY_LIMITS.receivedMax) received.shift();
      options.onReceived?.(webhook);
      if (options.respond === undefined) response.writeHead(webhook.verified.isValid ? 204 : 401).end();
      else options.respond(webhook, response, request);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  assert(address !== null && typeof address === 'object', 'a TCP server has a port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    port: address.port,
    received,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The whole body, or null when it is longer than any webhook of ours. */
function readBody(request: IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= NOTIFY_LIMITS.bodyBytesMax * 2) chunks.push(chunk);
  });
  request.on('end', () => done(bytes <= NOTIFY_LIMITS.bodyBytesMax * 2 ? Buffer.concat(chunks).toString('utf8') : null));
  // A sender that vanishes in mid-request has delivered nothing.
  request.on('error', () => undefined);
}

function inspect(request: IncomingMessage, body: string, {secret, clock}: ReceiverOptions): ReceivedWebhook {
  const now = clock.now();
  const id = request.headers['webhook-id'];
  return {
    at: now,
    id: typeof id === 'string' ? id : '',
    path: request.url ?? '',
    headers: request.headers,
    body,
    verified: verifyWebhook(request.headers, body, {secret, now, toleranceMs: NOTIFY_LIMITS.signatureToleranceMs}),
  };
}
