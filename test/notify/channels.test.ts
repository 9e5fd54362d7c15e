// biome-ignore-all lint/suspicious/noExplicitAny: a service takes whatever JSON comes
import type {ServerResponse} from 'node:http';
import {describe, expect, test} from 'vitest';
import type {WebhookConfig} from '../../src/config/webhooks.ts';
import {seededRng} from '../../src/core/rng.ts';
import type {Channel, Notice, OutboundMessage} from '../../src/notify/channel.ts';
import {systemResolve} from '../../src/notify/check-url.ts';
import {Outbox} from '../../src/notify/outbox.ts';
import {chartLink, chartSignature, isChartSignature} from '../../src/notify/chart-link.ts';
import {openChannel} from '../../src/roles/wire-channels.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import {TEST_SECRET} from '../helpers/webhook-receiver.ts';
import {GENERATED_AT, makeVerdict, nightRows, reportOf} from '../report/make-verdict.ts';
import {ALERT, channelContract, type ContractCase} from './channel.contract.ts';
import {DINGTALK, FEISHU, openChatService, reply, type Robot, ROBOT_SECRET, SLACK, WECOM} from './chat-services.ts';
import {ManualClock, REAL_CLOCK} from './manual-clock.ts';

const SECRETS: Readonly<Record<WebhookConfig['kind'], readonly string[]>> = {
  generic: [TEST_SECRET], slack: [], wecom: [], feishu: [ROBOT_SECRET], dingtalk: [ROBOT_SECRET],
};

/** As `roles/` opens it from a webhook's config. */
const opened = (kind: WebhookConfig['kind'], secrets = SECRETS[kind]): ContractCase['open'] => ({name, language, url, allow, ...shared}) =>
  openChannel({name, kind, language, url, secrets, events: ['alert'], allow}, shared);

const ANY: Robot = {ok: {status: 204, body: ''}, accept: () => null};
const code = (body: unknown) => ({status: 200, body});

channelContract('generic', {robot: ANY, open: opened('generic'), refusal: null, slowDown: null, isBodySilent: true});
channelContract('slack', {robot: SLACK, open: opened('slack'), refusal: code('invalid_payload'), slowDown: null, isBodySilent: false});
channelContract('wecom', {
  robot: WECOM, open: opened('wecom'), isBodySilent: false,
  refusal: code({errcode: 93000, errmsg: 'invalid webhook url'}), slowDown: {answer: code({errcode: 45009, errmsg: 'api freq out of limit'}), restMs: 60_000},
});
channelContract('feishu', {
  robot: FEISHU, open: opened('feishu'), isBodySilent: false,
  refusal: code({code: 19024, msg: 'Key Words Not Found'}), slowDown: {answer: code({code: 11232, msg: 'frequency limited'}), restMs: 60_000},
});
channelContract('dingtalk', {
  robot: DINGTALK, open: opened('dingtalk'), isBodySilent: false,
  refusal: code({errcode: 310000, errmsg: 'keywords not in content'}), slowDown: {answer: code({errcode: 130101, errmsg: 'send too fast'}), restMs: 600_000},
});

const KINDS = ['slack', 'wecom', 'feishu', 'dingtalk'] as const;
const ROBOTS = {slack: SLACK, wecom: WECOM, feishu: FEISHU, dingtalk: DINGTALK} as const;

const composer = (kind: WebhookConfig['kind'], language: 'en' | 'zh' = 'en'): Channel =>
  opened(kind)({name: kind, language, url: 'https://chat.example/', allow: [], clock: new ManualClock(), resolve: systemResolve});

const decision = (texts = {}): Notice => ({type: 'decision_changed', at: GENERATED_AT, report: reportOf(nightRows(), {publicUrl: 'https://assay.example.com', ...texts})});

describe('what people read', () => {
  test.each(KINDS)('%s: decision and why first, the harmed metric, data-through time, audit and a link', kind => {
    const body = composer(kind).compose(decision()).body.replaceAll('\u200b', '');
    for (const part of ['Roll back v2', 'latency_p95', '2026-11-21 07:59:58 UTC', 'assay.example.com', '480 slices checked']) expect(body).toContain(part);
    expect(body.indexOf('Roll back')).toBeLessThan(body.indexOf('slices checked'));
  });

  test.each(KINDS)('%s: Chinese texts are Chinese', kind => {
    const alert = {type: 'alert', at: GENERATED_AT, alert: ALERT, link: null} as const;
    const body = composer(kind, 'zh').compose(alert).body;
    expect(body).toMatch(/告警/);
    expect(body).toMatch(/阈值/);
    expect(composer(kind).compose(alert).body).not.toMatch(/\p{Script=Han}/u);
  });

  test.each(KINDS)('%s: what is cut says so, and where the rest is', kind => {
    const rows = Array.from({length: 300}, (_, index) => makeVerdict({experiment: `experiment-${index}`}));
    const withLink = composer(kind).compose({type: 'digest', at: GENERATED_AT, report: reportOf(rows, {publicUrl: 'https://assay.example.com'})}).body;
    expect(withLink).toContain('shortened; the link has all of it');
    expect(withLink).toContain('https://assay.example.com');
    expect(composer(kind).compose({type: 'digest', at: GENERATED_AT, report: reportOf(rows)}).body).toContain('shortened; all of it: assay report');
  });

  test.each(['wecom', 'dingtalk'] as const)('%s: a name makes no mention, link, picture or tag', kind => {
    const name = '<@all> @all [x](https://evil.example) ![i](https://evil.example/i.png) <font color="info">f</font> **b** `c`';
    const {body} = composer(kind).compose({type: 'alert', at: GENERATED_AT, alert: {...ALERT, rule: name, reason: name}, link: null});
    const text: string = Object.values<any>(JSON.parse(body).markdown).join('\n').replaceAll(/<font color="(warning|info|comment)">|<\/font>$/gm, '');
    expect(text).not.toMatch(/<@|@all|\]\(|!\[|https?:\/\/evil|<font color="info">f|\*\*b|`c/);
  });

  test('slack and feishu parse nothing of a name', () => {
    const alert = {type: 'alert', at: GENERATED_AT, alert: {...ALERT, rule: '<!channel> & co'}, link: null} as const;
    expect(JSON.parse(composer('slack').compose(alert).body).text).toContain('&lt;!channel&gt; &amp; co');
    expect(composer('feishu').compose(alert).body).not.toContain('lark_md');
  });
});

describe('the chart in a message', () => {
  const report = reportOf(nightRows(), {publicUrl: 'https://assay.example.com'});
  const options = {publicUrl: 'https://assay.example.com/', language: 'en'} as const;
  const picture = new Uint8Array(20_000).fill(7);
  const notice = (secret: string): Notice => ({type: 'decision_changed', at: GENERATED_AT, report, chart: chartLink(report, {...options, secret}), picture});
  const bare = (kind: WebhookConfig['kind'], secret: string): string => composer(kind).compose(notice(secret)).body;

  test('its address needs a key, or carries a signature of this chart alone', () => {
    expect(chartLink(report, {...options, secret: ''})).toEqual({url: 'https://assay.example.com/v1/reports/0199f0c2-judge_score-v2.png', isPublic: false});
    const signed = chartLink(report, {...options, secret: 's', language: 'zh'});
    expect(signed).toMatchObject({url: expect.stringMatching(/^https:\/\/assay\.example\.com\/v1\/charts\/0199f0c2-judge_score-v2\.png\?language=zh&signature=[\w-]{43}$/), isPublic: true});
    const verdictId = '0199f0c2-judge_score-v2';
    const signature = chartSignature('s', verdictId);
    expect(isChartSignature(signature, {secret: 's', verdictId})).toBe(true);
    for (const [given, secret, of] of [[signature, 's', 'other'], [signature, 't', verdictId], ['', '', verdictId], [chartSignature('', verdictId), '', verdictId], [`${signature}=`, 's', verdictId]] as const) {
      expect(isChartSignature(given, {secret, verdictId: of})).toBe(false);
    }
    expect(chartLink(report, {publicUrl: '', secret: 's', language: 'en'})).toBe(null);
    expect(chartLink(reportOf([]), {...options, secret: 's'})).toBe(null);
  });

  test.each(KINDS)('%s links it, and shows it only from an address that needs no key', kind => {
    expect(bare(kind, '')).toContain('/v1/reports/0199f0c2-judge_score-v2.png');
    const open = JSON.parse(bare(kind, 'secret'));
    if (kind === 'slack') expect(open.blocks.filter(({type}: any) => type === 'image')).toEqual([{type: 'image', image_url: expect.stringContaining('signature='), alt_text: expect.stringContaining('Roll back v2')}]);
    if (kind === 'dingtalk') expect(open.markdown.text).toMatch(/!\[Chart\]\(https:\S+signature=[\w-]+\)/);
    expect(bare(kind, '')).not.toMatch(/"type":"image"|!\[/);
  });

  const sent = async (kind: (typeof KINDS)[number], secret: string, script: readonly ((response: ServerResponse) => void)[] = []) => {
    const clock = new ManualClock();
    const service = await openChatService(ROBOTS[kind], clock);
    service.play(...script);
    const channel = opened(kind)({name: kind, language: 'en', url: service.url, allow: [`127.0.0.1:${service.port}`], clock, fetchClock: REAL_CLOCK, resolve: systemResolve});
    const of = notice(secret);
    const deliver = (deliveryId: string, composed = channel.compose(of)) => channel.deliver({deliveryId, ...composed}, {number: 1, at: clock.now()});
    return {clock, service, channel, deliver};
  };

  test.each(KINDS)('%s takes the message with its chart', async kind => {
    const {service, deliver} = await sent(kind, 'secret');
    expect(await deliver('msg_1')).toMatchObject({outcome: 'delivered'});
    await service.close();
    expect(service.requests).toHaveLength(service.shown.length);
    expect(service.shown.length).toBe(kind === 'wecom' ? 2 : 1);
  });

  test('wecom gets the picture as bytes after the words, once a minute, and its refusal takes nothing back', async () => {
    const {clock, service, deliver} = await sent('wecom', '');
    expect(await deliver('msg_1')).toMatchObject({outcome: 'delivered'});
    expect(await deliver('msg_2')).toMatchObject({outcome: 'delivered'});
    clock.set(clock.now() + 60_000);
    service.play(response => reply(response, {status: 200, body: {errcode: 0}}), response => reply(response, {status: 500, body: ''}));
    expect(await deliver('msg_3')).toMatchObject({outcome: 'delivered'});
    await service.close();
    expect(service.requests.map(({json}) => json.msgtype)).toEqual(['markdown', 'image', 'markdown', 'markdown', 'image']);
    expect(Buffer.from(service.requests[1]?.json.image.base64, 'base64')).toEqual(Buffer.from(picture));
  });

  test('a failed message is followed by no picture', async () => {
    const {service, deliver} = await sent('wecom', '', [response => reply(response, {status: 503, body: ''})]);
    expect(await deliver('msg_1')).toMatchObject({outcome: 'failed', status: 503});
    await service.close();
    expect(service.requests).toHaveLength(1);
  });

  test('slack that cannot fetch the picture gets the words without it', async () => {
    const {service, channel, deliver} = await sent('slack', 'secret');
    const gone: Notice = {type: 'decision_changed', at: GENERATED_AT, report, chart: {url: 'https://gone.example.com/a.png', isPublic: true}};
    expect(await deliver('msg_1', channel.compose(gone))).toMatchObject({outcome: 'delivered'});
    await service.close();
    expect(service.requests).toHaveLength(2);
    expect(service.shown.map(({json}) => json.blocks.map(({type}: any) => type))).toEqual([['header', 'rich_text', 'actions', 'context']]);
  });
});

describe('signatures of robots', () => {
  test.each(['feishu', 'dingtalk'] as const)('%s: another secret or none is refused by the service, and that is no success', async kind => {
    const clock = new ManualClock();
    const service = await openChatService(ROBOTS[kind], clock);
    const results = [];
    for (const secrets of [['another'], [], [ROBOT_SECRET]]) {
      const channel = opened(kind, secrets)({name: kind, language: 'en', url: service.url, allow: [`127.0.0.1:${service.port}`], clock, fetchClock: REAL_CLOCK, resolve: systemResolve});
      results.push((await channel.deliver({deliveryId: 'msg_1', ...channel.compose({type: 'test', at: GENERATED_AT})}, {number: 1, at: clock.now()})).outcome);
    }
    await service.close();
    expect(results).toEqual(['failed', 'failed', 'delivered']);
  });
});

describe('twenty messages a minute', () => {
  const flood = async (kind: 'wecom' | 'dingtalk', isDigesting: boolean) => {
    const clock = new ManualClock();
    const service = await openChatService(ROBOTS[kind], clock);
    const {digesting, ...plain} = opened(kind)({name: kind, language: 'en', url: service.url, allow: [`127.0.0.1:${service.port}`], clock, fetchClock: REAL_CLOCK, resolve: systemResolve});
    const store = openMemoryWarehouse();
    const channel: Channel = isDigesting && digesting !== undefined ? {...plain, digesting} : plain;
    const outbox = new Outbox({store, channels: [channel], clock, rng: seededRng(7)});
    const ids = Array.from({length: 60}, (_, index) => `msg_${String(index).padStart(3, '0')}`);
    for (const id of ids) {
      const alert = {...ALERT, alert_id: id, rule: `rule ${id}`};
      await outbox.enqueue({deliveryId: id, channel: kind, subject: `alert ${id}: firing`, ...channel.compose({type: 'alert', at: GENERATED_AT, alert, link: null})});
    }
    const startedAt = clock.now();
    for (let rounds = 0; rounds < 400; rounds += 1) {
      const {nextDueAt} = await outbox.runDue();
      if (nextDueAt === null) break;
      clock.set(Math.max(clock.now(), nextDueAt));
    }
    await service.close();
    const text = service.shown.map(({body}) => body).join('\n');
    const delivered = (await store.deliveries({states: ['delivered'], limit: 100})).length;
    return {refused: service.requests.length - service.shown.length, missing: ids.filter(id => !text.includes(id)), delivered, tookMs: clock.now() - startedAt, posts: service.requests.length};
  };

  test.each(['wecom', 'dingtalk'] as const)('%s: sixty alerts at once go out as digests, all shown with their ids, none refused', async kind => {
    const result = await flood(kind, true);
    expect(result).toMatchObject({refused: 0, missing: [], delivered: 60});
    expect(result.posts).toBeLessThanOrEqual(15);
    expect(result.tookMs).toBeLessThan(60_000);
  });

  test('without digests the service does refuse, so the test above can fail', async () => {
    expect((await flood('dingtalk', false)).refused).toBeGreaterThan(0);
  });

  test('a digest of messages keeps each one’s beginning within the service’s limit', () => {
    for (const kind of ['wecom', 'dingtalk'] as const) {
      const channel = composer(kind);
      const long: OutboundMessage[] = Array.from({length: channel.digesting?.messagesMax ?? 1}, (_, index) => ({deliveryId: `msg_${index}`, ...channel.compose(decision())}));
      const combined = channel.digesting?.combine(long).body ?? '';
      const text: string = JSON.parse(combined).markdown.content ?? JSON.parse(combined).markdown.text;
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(kind === 'wecom' ? 4_096 - 120 : 12_000);
      expect(text.split('Roll back').length - 1).toBeGreaterThanOrEqual(long.length);
    }
  });
});
