import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';
import {openEmbeddedEventLog} from '../../../src/log/embedded/embedded-event-log.ts';
import type {EventLog} from '../../../src/log/event-log.ts';
import type {LocalEventLog} from '../../../src/log/local/local-event-log.ts';
import {describeEventLogContract, systemClock} from '../../contract/event-log.contract.ts';

const root = await mkdtemp(join(tmpdir(), 'assay-embedded-'));
afterAll(() => rm(root, {recursive: true, force: true}));

const directories = new WeakMap<EventLog, string>();

async function openIn(directory: string): Promise<EventLog> {
  const log = await openEmbeddedEventLog({directory, clock: systemClock});
  directories.set(log, directory);
  return log;
}

describeEventLogContract('embedded', async () => openIn(await mkdtemp(join(root, 'log-'))), {
  reopen: async log => {
    await log.close();
    return openIn(directories.get(log) ?? '');
  },
  recreate: (log, spec) => (log as LocalEventLog).recreateTopic(spec),
});
