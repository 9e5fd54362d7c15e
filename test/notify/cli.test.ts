/** `deliveries`, `notify check` and `report` as their users call them, over a platform in memory and receivers on real sockets. */
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer, type Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';
import {runCli} from '../../src/cli/run.ts';
import {newRow} from '../../src/notify/delivery-state.ts';
import {openNotifications} from '../../src/roles/notifications.ts';
import {NOW, openTestPlatform, type TestPlatform} from '../guard/platform.ts';
import {openScriptedReceiver, type ScriptedReceiver, TEST_SECRET} from '../helpers/webhook-receiver.ts';
import {nightRows} from '../report/make-verdict.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-notify-cli-'));
afterAll(() => rmSync(directory, {recursive: true, force: true}));

let world: TestPlatform | undefined;

async function assay(...argv: string[]): Promise<{code: number; out: string; err: string}> {
  const told = {out: '', err: ''};
  const io = {
    out: (text: string) => { told.out += text; },
    err: (text: string) => { told.err += text; },
    cwd: directory, signal: new AbortController().signal, isTerminal: false,
  };
  const inside = world === undefined ? undefined : {platform: world.platform, config: world.platform.config, runsWorkers: true};
  return {code: await runCli(argv, io, inside), ...told};
}

type Row = Readonly<Record<string, unknown>>;

const asked = async <Answer = Row>(...argv: string[]): Promise<{code: number; answer: Answer}> => {
  const {code, out} = await assay(...argv, '--json');
  return {code, answer: JSON.parse(out) as Answer};
};

describe('assay deliveries', () => {
  let receiver: ScriptedReceiver;

  beforeEach(async () => {
    receiver = await openScriptedReceiver({now: () => NOW, sleep: () => Promise.resolve()});
    world = await openTestPlatform({webhooks: [
      {name: 'ops', url: receiver.url, secrets: [TEST_SECRET], allow: ['127.0.0.1'], events: ['alert']},
      {name: 'chat', url: `${receiver.url}chat`, secrets: [TEST_SECRET], allow: ['127.0.0.1'], events: ['alert']},
    ]});
    const row = (deliveryId: string, channel: string) => newRow({deliveryId, channel, subject: `${deliveryId}: said`, body: `{"id":"${deliveryId}"}`, contentType: 'application/json'}, {now: NOW, createdAt: NOW, state: 'due'});
    await world.warehouse.insertDeliveries([row('msg_1', 'ops'), row('msg_2', 'chat')]);
  });
  afterEach(async () => {
    await world?.close();
    world = undefined;
    await receiver.close();
  });

  test('list shows states without bodies, narrowed by state and channel', async () => {
    expect((await asked<Row[]>('deliveries', 'list')).answer.map(row => [row['delivery_id'], row['state'], 'body' in row])).toEqual([['msg_1', 'due', false], ['msg_2', 'due', false]]);
    expect((await asked<Row[]>('deliveries', 'list', '--channel', 'chat')).answer.map(row => row['delivery_id'])).toEqual(['msg_2']);
    expect((await asked<Row[]>('deliveries', 'list', '--state', 'failed')).answer).toEqual([]);
    expect((await assay('deliveries')).out).toContain('msg_1');
    expect(await assay('deliveries', 'list', '--state', 'lost')).toMatchObject({code: 2, err: expect.stringContaining('--state must be one of due, delivered, failed, disabled, got "lost"')});
  });

  test('show has every attempt, redeliver --now posts under the same id and tells how it went', async () => {
    receiver.play({kind: 'status', status: 503}, {kind: 'ok'});
    expect(await asked('deliveries', 'redeliver', 'msg_1', '--now')).toMatchObject({code: 1, answer: {state: 'due', attempt: 1, last_status: 503}});
    world?.clock.set(NOW + 60_000);
    expect(await asked('deliveries', 'redeliver', 'msg_1', '--now')).toMatchObject({code: 0, answer: {state: 'delivered', attempt: 2}});
    expect(receiver.received.map(({id, verified}) => [id, verified.isValid])).toEqual([['msg_1', true], ['msg_1', true]]);
    const {answer} = await asked<{body: string; history: Row[]}>('deliveries', 'show', 'msg_1');
    expect(answer.body).toBe('{"id":"msg_1"}');
    expect(answer.history.filter(row => row['last_status'] !== null && row['duration_ms'] !== null).map(row => [row['attempt'], row['state'], row['last_status']])).toEqual(expect.arrayContaining([[1, 'due', 503], [2, 'delivered', 204]]));
    expect((await assay('deliveries', 'show', 'msg_1')).out).toContain('msg_1 to ops: msg_1: said');
  });

  test('redeliver without --now leaves it to the process that sends', async () => {
    expect(await asked('deliveries', 'redeliver', 'msg_2')).toMatchObject({code: 0, answer: {state: 'due'}});
    expect(receiver.received).toEqual([]);
    if (world !== undefined) await openNotifications(world.platform).outbox.runDue();
    expect(receiver.received.map(({id}) => id).sort()).toEqual(['msg_1', 'msg_2']);
  });

  test('test posts one message; a receiver that refuses makes it fail', async () => {
    expect(await asked('deliveries', 'test', 'chat')).toMatchObject({code: 0, answer: {channel: 'chat', outcome: 'delivered', status: 204}});
    receiver.play({kind: 'status', status: 410});
    expect(await asked('deliveries', 'test', 'chat')).toMatchObject({code: 1, answer: {outcome: 'gone', status: 410}});
    expect(receiver.received.every(({verified, path}) => verified.isValid && path === '/chat')).toBe(true);
  });

  test.each<readonly [readonly string[], string]>([
    [['show', 'msg_9'], 'no delivery msg_9'],
    [['redeliver', 'msg_9'], 'no delivery msg_9'],
    [['test', 'nobody'], 'configured: ops, chat'],
    [['show'], 'needs the id of a delivery'],
    [['test'], 'needs the name of a channel'],
    [['remove', 'msg_1'], 'deliveries knows list, show, redeliver and test'],
  ])('%j is refused with what to do', async (argv, said) => {
    const {code, err} = await assay('deliveries', ...argv);
    expect([code, err]).toEqual([2, expect.stringContaining(said)]);
  });
});

describe('assay notify check', () => {
  let canary: Server;
  let port = 0;
  let connections = 0;

  beforeAll(async () => {
    canary = createServer(socket => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>(done => canary.listen(0, () => done()));
    const address = canary.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterAll(() => new Promise<void>(done => canary.close(() => done())));

  /** Literal addresses only: a name would ask this machine's resolver. */
  const hosts = [
    '127.0.0.1', '127.1', '127.255.255.254', '2130706433', '0x7f000001', '0x7f.0.0.1', '0177.0.0.1', '017700000001', '127.0.0.1.', '%31%32%37.0.0.1', '１２７.0.0.1', '127。0。0。1',
    '[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]',
    '0.0.0.0', '0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '100.127.255.255', '169.254.169.254', '169.254.170.2', '[fe80::1]', '[fd00:ec2::254]', '[fc00::1]',
    '[fec0::1]', '[ff02::1]', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', '192.0.0.170', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9', '192.88.99.1', '[2001:db8::1]', '[100::1]', '[3fff::1]',
  ];
  const others = ['ftp://8.8.8.8/', 'file:///etc/passwd', 'gopher://8.8.8.8/', 'data:text/plain,x', 'unix:/var/run/docker.sock', 'http://8.8.8.8/', 'https://user:pass@8.8.8.8/', 'https://8.8.8.8@127.0.0.1/', 'https://8.8.8.8/\r\nHost: evil', '//8.8.8.8/', '8.8.8.8', ' https://8.8.8.8/', 'https:8.8.8.8', 'https://8.8.8.8:0/'];

  test(`${hosts.length + others.length} bad addresses are refused with a reason each, in order; the canary sees no connection`, async () => {
    const urls = [...hosts.map(host => `https://${host}:${port}/hook`), ...others];
    expect(urls.length).toBeGreaterThanOrEqual(60);
    const {code, answer} = await asked<{url: string; allowed: boolean; reason: string}[]>('notify', 'check', ...urls);
    expect(code).toBe(3);
    expect(answer.map(({url}) => url)).toEqual(urls);
    expect(answer.filter(({allowed, reason}) => allowed || reason.length < 6)).toEqual([]);
    expect(connections).toBe(0);
  });

  test('what is fine is allowed, without a connection either; --allow opens the named host only', async () => {
    const bad = `http://127.0.0.1:${port}/`;
    expect(await asked('notify', 'check', 'https://8.8.8.8/hook', 'https://[2606:4700:4700::1111]/')).toMatchObject({code: 0, answer: [{allowed: true}, {allowed: true}]});
    expect(await asked('notify', 'check', bad, '--allow', `127.0.0.1:${port}`)).toMatchObject({code: 0, answer: [{url: bad, allowed: true}]});
    expect(await asked('notify', 'check', bad, '--allow', `127.0.0.1:${port + 1}`)).toMatchObject({code: 3, answer: [{allowed: false}]});
    expect((await assay('notify', 'check', bad)).out).toMatch(/^refused {2}/);
    expect(connections).toBe(0);
  });

  test('without URLs, or with another action, it says what it wants', async () => {
    expect(await assay('notify', 'check')).toMatchObject({code: 2, err: expect.stringContaining('at least one URL')});
    expect(await assay('notify', 'send', 'https://8.8.8.8/')).toMatchObject({code: 2, err: expect.stringContaining('notify knows check')});
  });
});

describe('assay report', () => {
  beforeAll(async () => {
    world = await openTestPlatform();
    await world.warehouse.insertVerdicts(nightRows());
  });
  afterAll(async () => {
    await world?.close();
    world = undefined;
  });

  test('in the asked format and language, to stdout or to a file', async () => {
    expect((await assay('report')).out).toContain('Roll back v2 in answer-model');
    expect((await assay('report', 'answer-model', '--language', 'zh')).out).toContain('回滚 v2');
    expect((await assay('report', '--format', 'html', '--language', 'zh', '--out', 'zh.html')).err).toContain('zh.html');
    expect(readFileSync(join(directory, 'zh.html'), 'utf8')).toMatch(/<html lang="zh[^"]*">/);
    expect((await asked('report')).answer['headline']).toContain('Roll back v2');
  });

  test('as a picture in a file, or refused where this machine has no font', async () => {
    const {code, err} = await assay('report', '--format', 'png', '--out', 'chart.png');
    if (code === 2) expect(err).toContain('PNG needs');
    else expect(readFileSync(join(directory, 'chart.png')).subarray(1, 4).toString()).toBe('PNG');
    expect([0, 2]).toContain(code);
  });

  test.each<readonly [readonly string[], string]>([
    [['--format', 'pdf'], '--format must be one of html, markdown, json, png, got "pdf"'],
    [['--format', 'png'], 'name its file with --out'],
    [['--language', 'fr'], '--language must be one of en, zh, got "fr"'],
    [['nothing'], 'there is no verdict of experiment nothing'],
  ])('%j is refused', async (argv, said) => {
    expect(await assay('report', ...argv)).toMatchObject({code: 2, err: expect.stringContaining(said)});
  });
});
