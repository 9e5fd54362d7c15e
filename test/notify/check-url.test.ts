import {createServer, type Server} from 'node:net';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {judgeAddress} from '../../src/notify/address.ts';
import {checkUrls, type Resolve} from '../../src/notify/check-url.ts';
import {safePost} from '../../src/notify/safe-fetch.ts';
import {REAL_CLOCK} from './manual-clock.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'good.example': ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
  'localhost': ['127.0.0.1', '::1'],
  'rebind.example': ['93.184.215.14', '127.0.0.1'],
  'internal.example': ['10.1.2.3'],
  'metadata.example': ['169.254.169.254'],
  'six.example': ['fd00::1'],
};

const resolve: Resolve = async hostname => {
  const addresses = NAMES[hostname.replace(/\.$/, '')];
  if (addresses === undefined) throw new Error('ENOTFOUND');
  return addresses.map(address => ({address, family: address.includes(':') ? 6 : 4}));
};

/** PORT is replaced by the canary's port. */
const BAD: readonly string[] = [
  'http://127.0.0.1:PORT/', 'https://127.0.0.1:PORT/', 'https://127.1:PORT/', 'https://127.255.255.254:PORT/', 'https://2130706433:PORT/',
  'https://0x7f000001:PORT/', 'https://0x7f.0.0.1:PORT/', 'https://0177.0.0.1:PORT/', 'https://017700000001:PORT/', 'https://127.0.0.1.:PORT/',
  'https://%31%32%37.0.0.1:PORT/', 'https://１２７.0.0.1:PORT/', 'https://127。0。0。1:PORT/', 'https://①②⑦.0.0.1:PORT/', 'https://localhost:PORT/',
  'https://LOCALHOST:PORT/', 'https://localhost.:PORT/', 'https://[::1]:PORT/', 'https://[0:0:0:0:0:0:0:1]:PORT/', 'https://[::]:PORT/',
  'https://[::ffff:127.0.0.1]:PORT/', 'https://[::ffff:7f00:1]:PORT/', 'https://[0:0:0:0:0:ffff:127.0.0.1]:PORT/', 'https://[::127.0.0.1]:PORT/', 'https://[::ffff:0:127.0.0.1]:PORT/',
  'https://[64:ff9b::127.0.0.1]:PORT/', 'https://[64:ff9b:1::7f00:1]:PORT/', 'https://[2002:7f00:1::]:PORT/', 'https://[2001:0:7f00:1::]:PORT/', 'https://0.0.0.0:PORT/',
  'https://0:PORT/', 'https://0.1.2.3:PORT/', 'https://10.0.0.1/', 'https://10.255.255.255/', 'https://172.16.0.1/', 'https://172.31.255.255/', 'https://192.168.1.1/',
  'https://100.64.0.1/', 'https://100.127.255.255/', 'https://169.254.169.254/latest/meta-data/', 'https://[fe80::1]/', 'https://[fe80::a9fe:a9fe]/', 'https://[fd00:ec2::254]/', 'https://[fc00::1]/',
  'https://[fec0::1]/', 'https://[ff02::1]/', 'https://224.0.0.1/', 'https://239.255.255.250/', 'https://240.0.0.1/', 'https://255.255.255.255/', 'https://192.0.0.170/',
  'https://192.0.2.1/', 'https://198.18.0.1/', 'https://198.51.100.7/', 'https://203.0.113.9/', 'https://192.88.99.1/', 'https://168.63.129.16/', 'https://[2001:db8::1]/', 'https://[100::1]/', 'https://[3fff::1]/',
  'https://[::ffff:8.8.8.8]/', 'https://rebind.example/', 'https://internal.example/', 'https://metadata.example/', 'https://six.example/', 'https://nowhere.example/',
  'http://good.example/', 'ftp://good.example/', 'file:///etc/passwd', 'gopher://127.0.0.1:PORT/', 'data:text/plain,x', 'javascript:alert(1)', 'unix:/var/run/docker.sock',
  'https://user:pass@good.example/', 'https://user@good.example/', 'https://@good.example/', 'https://good.example@127.0.0.1:PORT/', 'https://good.example/\r\nHost: evil', 'https://good.example/a b',
  'https://good.ex\tample/', ' https://good.example/', 'https:\\\\good.example/', 'https:good.example', 'https:///good.example', '//good.example/', 'good.example', '', 'https://', 'https://good.example:0/',
  'https://good.example:99999/', `https://good.example/${'a'.repeat(3000)}`, 'https://good\u200b.example/',
];

describe('URLs that must not be posted to', () => {
  let canary: Server;
  let canaryPort = 0;
  let connections = 0;

  beforeAll(async () => {
    canary = createServer(socket => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>(done => canary.listen(0, () => done()));
    const address = canary.address();
    canaryPort = typeof address === 'object' && address !== null ? address.port : 0;
  });

  afterAll(() => new Promise<void>(done => canary.close(() => done())));

  test(`${BAD.length} bad URLs are refused with a reason, and the loopback canary sees no connection`, async () => {
    expect(BAD.length).toBeGreaterThanOrEqual(60);
    const urls = BAD.map(url => url.replaceAll('PORT', String(canaryPort)));
    const judged = await checkUrls(urls, {resolve});
    expect(judged.filter(({allowed}) => allowed)).toEqual([]);
    expect(judged.every(({reason}) => reason.length > 5)).toBe(true);
    expect(judged.map(({url}) => url)).toEqual(urls);
    for (const url of urls) {
      const posted = safePost({url, headers: {}, body: '{}'}, {allow: [], resolve, clock: REAL_CLOCK});
      await expect(posted, url).rejects.toMatchObject({code: 'ASSAY_ADDRESS_REFUSED'});
    }
    expect(connections).toBe(0);
  });

  test('ordinary https URLs are allowed', async () => {
    const judged = await checkUrls(['https://good.example/hook?x=1', 'https://good.example:8443/', 'https://8.8.8.8/', 'https://[2606:4700:4700::1111]/'], {resolve});
    expect(judged.map(({allowed}) => allowed)).toEqual([true, true, true, true]);
  });
});

describe('the allow-list', () => {
  const allowed = async (url: string, allow: readonly string[]): Promise<boolean> => (await checkUrls([url], {allow, resolve}))[0]?.allowed ?? false;

  test('opens http, loopback and private addresses for the named host and port only', async () => {
    expect(await allowed('http://127.0.0.1:9000/', ['127.0.0.1:9000'])).toBe(true);
    expect(await allowed('http://127.0.0.1:9001/', ['127.0.0.1:9000'])).toBe(false);
    expect(await allowed('http://127.0.0.1:9001/', ['127.0.0.1'])).toBe(true);
    expect(await allowed('http://localhost:9001/', ['127.0.0.1'])).toBe(false);
    expect(await allowed('http://[::1]:80/', ['[::1]:80'])).toBe(true);
    expect(await allowed('https://internal.example/', ['internal.example'])).toBe(true);
    expect(await allowed('https://sub.internal.example/', ['internal.example'])).toBe(false);
    expect(await allowed('http://good.example/', ['good.example:80'])).toBe(true);
    expect(await allowed('https://good.example/', ['*'])).toBe(true);
    expect(await allowed('http://good.example/', ['*', '', 'http://good.example', '0.0.0.0/0'])).toBe(false);
  });

  test('never opens link-local, unspecified or multicast addresses', async () => {
    expect(await allowed('http://169.254.169.254/', ['169.254.169.254'])).toBe(false);
    expect(await allowed('https://metadata.example/', ['metadata.example'])).toBe(false);
    expect(await allowed('http://0.0.0.0:80/', ['0.0.0.0'])).toBe(false);
  });
});

describe('classes of addresses', () => {
  const octet = fc.integer({min: 0, max: 255});

  test('property: what is wrapped into IPv6 is never global', () => {
    fc.assert(
      fc.property(octet, octet, octet, octet, (a, b, c, d) => {
        const v4 = `${a}.${b}.${c}.${d}`;
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        for (const wrapped of [`::ffff:${v4}`, `::${v4}`, `64:ff9b::${v4}`, `2002:${hex}::`, `2001:0:${hex}::1`, `::ffff:0:${v4}`]) {
          expect(judgeAddress(wrapped).class, wrapped).not.toBe('global');
        }
      }),
      {numRuns: 300},
    );
  });

  test('property: IPv6 outside 2000::/3 is never global', () => {
    fc.assert(
      fc.property(fc.ipV6(), address => {
        const first = Number.parseInt(new URL(`http://[${address}]/`).hostname.slice(1).split(':')[0] || '0', 16);
        if (first >> 13 !== 1) expect(judgeAddress(address).class).not.toBe('global');
      }),
    );
  });

  test.each(['', 'nonsense', 'fe80::1%eth0', '1.2.3', '1.2.3.4.5'])('%j is no address of the internet', address => {
    expect(judgeAddress(address).class).toBe('reserved');
  });
});
