import {createHmac, timingSafeEqual} from 'node:crypto';
import {Webhook} from 'standardwebhooks';
import type {EpochMs} from '../core/units.ts';

/** The headers of Standard Webhooks for one attempt. */
export type WebhookHeaders = {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
};

export type SignedContent = {
  readonly id: string;
  /** The attempt's time: a receiver refuses old ones, so a retry is signed anew. */
  readonly at: EpochMs;
  readonly body: string;
};

/** One `v1` signature per live secret, so that a receiver can rotate without losing a message. */
export function signWebhook({id, at, body}: SignedContent, secrets: readonly string[]): WebhookHeaders {
  const time = new Date(at);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': secrets.map(secret => new Webhook(secret).sign(id, time, body)).join(' '),
  };
}

export type VerifyOptions = {readonly secret: string; readonly now: EpochMs; readonly toleranceMs: number};

export type VerifyResult = {readonly isValid: true} | {readonly isValid: false; readonly reason: string};

/** The receiving side, written from the specification and not with the library that signs. */
export function verifyWebhook(headers: Readonly<Record<string, unknown>>, body: string, {secret, now, toleranceMs}: VerifyOptions): VerifyResult {
  const [id, timestamp, signatures] = [headers['webhook-id'], headers['webhook-timestamp'], headers['webhook-signature']];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
    return {isValid: false, reason: 'webhook-id, webhook-timestamp or webhook-signature is missing'};
  }
  if (!/^\d{1,12}$/.test(timestamp)) return {isValid: false, reason: 'webhook-timestamp is not in seconds'};
  if (Math.abs(Number(timestamp) * 1000 - now) > toleranceMs) return {isValid: false, reason: 'webhook-timestamp is too far from now'};
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
  const isSigned = signatures.split(' ').some(signature => {
    const [version, encoded = ''] = signature.split(',', 2);
    const given = Buffer.from(encoded, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
  return isSigned ? {isValid: true} : {isValid: false, reason: 'no signature matches'};
}
