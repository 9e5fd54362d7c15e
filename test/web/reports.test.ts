import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {chartSignature} from '../../src/notify/chart-link.ts';
import {makeVerdict, nightRows} from '../report/make-verdict.ts';
import {call, emptyWarehouse, makeAccess, openTestServer, type Access, type TestServer} from './test-server.ts';

const SECRET = 'a secret of charts';
const ROWS = nightRows();
const OLDER = makeVerdict({verdict_id: 'vd_older', created_at: '2026-11-20T08:00:00.000Z', decision: 'keep_running', reasons: ['too_early']});
const ID = ROWS[0]?.verdict_id ?? '';

describe('reports by verdict', () => {
  let access: Access;
  let server: TestServer;
  beforeAll(async () => {
    access = makeAccess();
    const warehouse = emptyWarehouse({
      verdict: id => Promise.resolve([...ROWS, OLDER].find(row => row.verdict_id === id) ?? null),
      query: (sql, options) => {
        expect(sql).toContain('FROM verdicts');
        const at = options?.parameters?.['created_ms'];
        return Promise.resolve([...ROWS, OLDER].filter(row => Date.parse(row.created_at) === at).map(row => ({row: JSON.stringify(row)})));
      },
    });
    server = await openTestServer({warehouse, chartSecret: SECRET, publicUrl: 'https://assay.example.com'}, access);
  });
  afterAll(() => server.close());

  const get = (path: string, key: string | null = access.keys.viewer) => call(server.url, path, key === null ? {} : {key});
  const picture = async (path: string, key?: string) => {
    const response = await fetch(`${server.url}${path}`, {headers: key === undefined ? {} : {authorization: `Bearer ${key}`}});
    return {status: response.status, type: response.headers.get('content-type'), bytes: new Uint8Array(await response.arrayBuffer())};
  };

  test('the analysis of then, with all rows that were written together', async () => {
    const {body} = await get(`/v1/reports/${ID}.json`);
    expect(body).toMatchObject({headline: expect.stringContaining('Roll back v2'), generated_at: '2026-11-21T08:00:01.250Z', experiments: [{metrics: [{}, {}, {}]}]});
    expect((await get('/v1/reports/vd_older.md')).body).toContain('Keep running v2');
    const html = await get('/v1/reports/vd_older.html?language=zh');
    expect(html.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(html.body).toContain('lang="zh-CN"');
  });

  test.each(['/v1/reports/unknown.png', '/v1/reports/vd_older', '/v1/reports/.png', '/v1/reports/vd_older.exe', '/v1/reports/%2e%2e%2fetc%2fpasswd.png'])('%s is not there', async path => {
    expect((await get(path)).status).toBe(404);
  });

  test('a chart is a picture for who may read, or who holds its signed address', async () => {
    const signature = chartSignature(SECRET, ID);
    const open = await picture(`/v1/charts/${ID}.png?signature=${signature}`);
    expect({...open, bytes: [...open.bytes.slice(0, 4)]}).toEqual({status: 200, type: 'image/png', bytes: [0x89, 0x50, 0x4e, 0x47]});
    const read = await picture(`/v1/reports/${ID}.png`, access.keys.viewer);
    expect([read.status, read.type]).toEqual([200, 'image/png']);
    expect((await picture(`/v1/reports/${ID}.png`)).status).toBe(401);
    expect((await picture(`/v1/reports/${ID}.png`, access.keys.ingest)).status).toBe(403);
  });

  test('a signature opens one chart and nothing else', async () => {
    const signature = chartSignature(SECRET, ID);
    for (const path of [`/v1/charts/vd_older.png?signature=${signature}`, `/v1/charts/${ID}.png`, `/v1/charts/${ID}.png?signature=`, `/v1/charts/${ID}.html?signature=${signature}`, `/v1/charts/${ID}.png?signature=${chartSignature('', ID)}`]) {
      expect([path, (await picture(path)).status]).toEqual([path, 404]);
    }
    expect((await picture(`/v1/reports/${ID}.png?signature=${signature}`)).status).toBe(401);
  });
});
