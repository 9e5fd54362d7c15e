import {once} from 'node:events';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {epochMs} from '../../../src/core/units.ts';
import {openServerConnections} from '../../../src/warehouse/server/server-connections.ts';
import {chdbSkipReason} from '../../helpers/chdb-engine.ts';
import {type SpawnedServer, spawnServer, spawnSkipReason} from '../../helpers/clickhouse-server.ts';
import {storageOf} from '../../helpers/clickhouse-storage.ts';
import {arrivalRowOf, outcomeFact, START} from '../../helpers/storage-fixtures.ts';

const skipReason = (await chdbSkipReason()) ?? spawnSkipReason();

describe.skipIf(skipReason !== null)(`a server in a process of its own${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let server: SpawnedServer;
  const open = (holder: string) => {
    const connections = openServerConnections({url: server.url, requestTimeoutMs: 20_000});
    return {connections, storage: storageOf(connections, {holder})};
  };
  beforeAll(async () => {
    server = await spawnServer();
  });
  afterAll(() => server?.stop());

  test('several workers that migrate, insert the same facts and fail now and then leave each fact once', async () => {
    const workers = ['w1', 'w2', 'w3'].map(open);
    const reports = await Promise.all(workers.map(({storage}) => storage.migrate()));
    expect(new Set(reports.flatMap(({applied}) => applied)).size).toBe(reports.flatMap(({applied}) => applied).length);

    const facts = Array.from({length: 300}, (_, serial) => outcomeFact({serial, offset: serial, ms: START + serial}));
    for (const kind of ['lost-answer', 'refuse', 'lost-answer'] as const) server.plan({fault: {kind}, count: 1, match: 'INSERT INTO `outcomes`'});
    server.plan({fault: {kind: 'exception', engineCode: 252, message: 'Too many parts'}, count: 2, match: 'INSERT INTO `arrivals`'});
    await Promise.all(
      workers.map(async ({storage}, index) => {
        const mine = facts.slice(index * 50, index * 50 + 200);
        for (let from = 0; from < mine.length; ) {
          const outcomes = mine.slice(from, from + 40);
          const isIn = await storage.insertFacts({stream: 'live', exposures: [], outcomes, deadLetters: [], arrivals: outcomes.map(arrivalRowOf)}).then(
            () => true,
            (error: {code: string}) => {
              expect(error.code).toBe('ASSAY_SINK_UNAVAILABLE');
              return false;
            },
          );
          if (isIn) from += 40;
        }
      }),
    );
    const {storage} = workers[0] ?? open('x');
    const found = [];
    for await (const page of storage.openOutcomes({stream: 'live', logEpoch: 1, partition: 0, belowOffset: 10_000n, from: epochMs(0)})) found.push(...page);
    expect(found).toEqual(facts);
    for (const {connections} of workers) await connections.close();
  });

  test('a server that is killed is unavailable, not wrong', async () => {
    const {connections, storage} = open('w');
    server.process.kill('SIGKILL');
    await once(server.process, 'exit');
    await expect(storage.ping()).rejects.toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE', kind: 'retry'});
    await connections.close();
  });
});
