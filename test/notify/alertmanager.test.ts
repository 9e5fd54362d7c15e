import {expect, test} from 'vitest';
import {AlertmanagerChannel} from '../../src/notify/alertmanager/alertmanager-channel.ts';
import {systemResolve} from '../../src/notify/check-url.ts';
import {GENERATED_AT} from '../report/make-verdict.ts';
import {ALERT} from './channel.contract.ts';
import {openChatService, type Robot} from './chat-services.ts';
import {ManualClock, REAL_CLOCK} from './manual-clock.ts';

/** As Alertmanager's API v2 checks what it gets. */
const ALERTMANAGER: Robot = {
  ok: {status: 200, body: ''},
  accept: ({json, url}) => {
    const isAlert = (alert: {labels: Record<string, string>; startsAt: string; endsAt: string}): boolean =>
      Object.entries(alert.labels).every(([name, value]) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && value !== '') && alert.labels['alertname'] !== undefined && Date.parse(alert.startsAt) < Date.parse(alert.endsAt);
    return url.pathname.endsWith('/api/v2/alerts') && Array.isArray(json) && json.every(isAlert) ? null : {status: 400, body: 'bad request'};
  },
};

test('an alert fires until another message ends it: same labels, same start', async () => {
  const clock = new ManualClock();
  const service = await openChatService(ALERTMANAGER, clock);
  const channel = new AlertmanagerChannel({name: 'am', url: `${service.url}/`, allow: [`127.0.0.1:${service.port}`], clock, fetchClock: REAL_CLOCK, resolve: systemResolve});
  const firedAt = '2026-11-21T07:58:00.000Z';
  const row = {...ALERT, context: {...ALERT.context, fired: true, fired_at: firedAt, labels: {'team.name': 'search'}, annotations: {summary: 'errors of v2'}}};
  const post = (alert: typeof row) =>
    channel.deliver({deliveryId: 'm', ...channel.compose({type: 'alert', at: GENERATED_AT, alert, others: [{...alert, variant: ''}], link: 'https://assay.example.com'})}, {number: 1, at: clock.now()});
  const results = [await post(row), await post({...row, state: 'resolved'})];
  await service.close();
  expect(results.map(({outcome}) => outcome)).toEqual(['delivered', 'delivered']);
  const [fired, resolved] = service.shown.map(({json}) => json[0]);
  expect(fired).toMatchObject({
    labels: {alertname: 'errors', severity: 'critical', experiment: 'answer-model', variant: 'v2', stream: 'live', team_name: 'search'},
    annotations: {summary: 'errors of v2', reason: '0.41 is above 0.3'}, startsAt: firedAt, generatorURL: 'https://assay.example.com',
  });
  expect(Date.parse(fired.endsAt)).toBeGreaterThan(Date.parse(firedAt) + 86_400_000);
  expect(resolved).toMatchObject({labels: fired.labels, startsAt: firedAt, endsAt: ALERT.changed_at});
  expect(service.shown[0]?.json).toHaveLength(2);
});
