import type {ServerResponse} from 'node:http';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {Language} from '../../src/config/webhooks.ts';
import type {Channel, DeliveryResult, Notice} from '../../src/notify/channel.ts';
import {systemResolve} from '../../src/notify/check-url.ts';
import type {Endpoint} from '../../src/notify/post-message.ts';
import {CHINESE} from '../../src/report/texts-zh.ts';
import {ENGLISH} from '../../src/report/texts.ts';
import type {AlertRow} from '../../src/warehouse/warehouse.ts';
import {GENERATED_AT, makeVerdict, nightRows, reportOf} from '../report/make-verdict.ts';
import {type Answer, type ChatService, openChatService, type Robot, reply, TOKEN} from './chat-services.ts';
import {ManualClock, REAL_CLOCK} from './manual-clock.ts';

export type ContractCase = {
  readonly robot: Robot;
  readonly open: (options: Endpoint & {readonly name: string; readonly language: Language}) => Channel;
  /** A refusal in an answer with status 200, and a request to slow down in one; null where the status says all. */
  readonly refusal: Answer | null;
  readonly slowDown: {readonly answer: Answer; readonly restMs: number} | null;
  /** An answer of 200 whose body is endless counts as taken only where the body says nothing. */
  readonly isBodySilent: boolean;
};

export const ALERT: AlertRow = {
  alert_id: 'al_1', stream: 'live', rule: 'errors', experiment: 'answer-model', variant: 'v2', state: 'firing', severity: 'critical', value: 0.41, threshold: 0.3,
  window_start: '2026-11-21T07:59:00.000Z', window_end: '2026-11-21T08:00:00.000Z', reason: '0.41 is above 0.3', context: {n: 212, since: '2026-11-21T07:58:00.000Z', action: 'roll_back'},
  changed_at: '2026-11-21T08:00:00.000Z',
};

const HOSTILE = '<!channel> <@all> @all [x](https://evil.example) ![i](https://evil.example/i.png) *b* `c` <font color="info">f</font>\n# h';

const notices = (texts = ENGLISH): readonly (readonly [string, Notice])[] => [
  ['a change of decision', {type: 'decision_changed', at: GENERATED_AT, report: reportOf(nightRows(), {publicUrl: 'https://assay.example.com', texts})}],
  ['a digest', {type: 'digest', at: GENERATED_AT, report: reportOf([...nightRows(), makeVerdict({experiment: 'other'})], {texts})}],
  ['an alert', {type: 'alert', at: GENERATED_AT, alert: ALERT, link: 'https://assay.example.com/'}],
  ['a test', {type: 'test', at: GENERATED_AT}],
  ['hostile names', {type: 'alert', at: GENERATED_AT, alert: {...ALERT, rule: HOSTILE, experiment: HOSTILE, reason: HOSTILE}, link: null}],
  ['three hundred experiments', {type: 'digest', at: GENERATED_AT, report: reportOf(Array.from({length: 300}, (_, index) => makeVerdict({experiment: `e${index} ${'长名'.repeat(40)}`})), {texts})}],
];

/** What every channel does, against a receiver that behaves like its service. */
export function channelContract(kind: string, {robot, open, refusal, slowDown, isBodySilent}: ContractCase): void {
  describe(`channel contract: ${kind}`, () => {
    let service: ChatService;
    let clock: ManualClock;

    beforeEach(async () => {
      clock = new ManualClock();
      service = await openChatService(robot, clock);
    });
    afterEach(() => service.close());

    const channelOf = (language: Language = 'en'): Channel =>
      open({
        name: kind, language, url: service.url, allow: [`127.0.0.1:${service.port}`], clock, fetchClock: REAL_CLOCK, resolve: systemResolve,
        limits: {connectMs: 1_000, totalMs: 400, responseBytesMax: 64 * 1024},
      });

    async function post(notice: Notice, language: Language = 'en'): Promise<DeliveryResult> {
      const channel = channelOf(language);
      return channel.deliver({deliveryId: 'msg_of_the_contract', ...channel.compose(notice)}, {number: 1, at: clock.now()});
    }

    const TEST: Notice = {type: 'test', at: GENERATED_AT};

    test.each(notices())('%s is taken by the service, and the same notice gives the same bytes', async (_name, notice) => {
      expect(channelOf().compose(notice)).toEqual(channelOf().compose(notice));
      expect(await post(notice)).toMatchObject({outcome: 'delivered', status: robot.ok.status});
      expect(service.shown).toHaveLength(1);
    });

    test.each(notices(CHINESE))('%s is taken in Chinese', async (_name, notice) => {
      expect(await post(notice, 'zh')).toMatchObject({outcome: 'delivered'});
    });

    test('any other status is no success: 500 and 302 are tried again, 410 never, no redirect is followed', async () => {
      const answer = (status: number, headers: Record<string, string> = {}) => (response: ServerResponse) => reply(response, {...robot.ok, status, headers});
      service.play(answer(500), answer(302, {location: service.url}), answer(410));
      expect(await post(TEST)).toMatchObject({outcome: 'failed', status: 500, isSlowDown: false});
      expect(await post(TEST)).toMatchObject({outcome: 'failed', status: 302});
      expect(await post(TEST)).toMatchObject({outcome: 'gone', status: 410});
      expect(service.requests).toHaveLength(3);
    });

    test('429 slows down and Retry-After is passed on', async () => {
      service.play(response => reply(response, {status: 429, body: 'rate_limited', headers: {'retry-after': '30'}}));
      expect(await post(TEST)).toMatchObject({outcome: 'failed', status: 429, isSlowDown: true, retryAfterMs: 30_000});
    });

    test('a receiver that hangs, resets, or never ends is no throw', async () => {
      const endless = (response: ServerResponse): void => {
        response.writeHead(200);
        const write = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536))) continue;
          if (!response.destroyed) response.once('drain', write);
        };
        write();
      };
      service.play(() => undefined, (_response, request) => request.socket.resetAndDestroy(), endless);
      expect(await post(TEST)).toMatchObject({outcome: 'failed', status: null});
      expect(await post(TEST)).toMatchObject({outcome: 'failed', status: null});
      expect(await post(TEST)).toMatchObject({outcome: isBodySilent ? 'delivered' : 'failed', status: 200});
    });

    if (refusal !== null) test('a refusal inside a 200 is no success, and its words are kept', async () => {
      service.play(response => reply(response, refusal), response => reply(response, {status: 200, body: '<html>a proxy</html>'}));
      const result = await post(TEST);
      expect(result).toMatchObject({outcome: 'failed', status: 200});
      expect(result.outcome === 'failed' && result.error).toMatch(/\d|place of/);
      expect(await post(TEST)).toMatchObject({outcome: 'failed', status: 200});
    });

    if (slowDown !== null) test('a limit inside a 200 gives the channel a rest', async () => {
      service.play(response => reply(response, slowDown.answer));
      expect(await post(TEST)).toMatchObject({outcome: 'failed', isSlowDown: true, retryAfterMs: slowDown.restMs});
    });

    test('no error shows the secret or the path', async () => {
      service.play(response => reply(response, {status: 403, body: 'no'}));
      const refused = await post(TEST);
      await service.close();
      const unreachable = await post(TEST);
      expect(JSON.stringify([refused, unreachable])).not.toMatch(new RegExp(`${TOKEN}|SEC-of|whsec`));
    });
  });
}
