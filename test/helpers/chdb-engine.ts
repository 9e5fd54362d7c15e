import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type ChdbEngine, chdbMissing, openChdbEngine} from '../../src/warehouse/chdb/chdb-engine.ts';

/**
 * Why chDB tests are skipped here; null when they run. A machine that claims to
 * be CI must have the engine, so there the reason is an error instead.
 */
export async function chdbSkipReason(): Promise<string | null> {
  const reason = await chdbMissing();
  if (reason !== null && process.env['CI'] === 'true') throw new Error(`CI needs the embedded engine: ${reason}`);
  return reason;
}

export type TemporaryEngine = {readonly engine: ChdbEngine; readonly directory: string; remove(): Promise<void>};

/** An engine on a new directory. A process can have one open at a time. */
export async function openTemporaryEngine(): Promise<TemporaryEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'assay-chdb-'));
  const engine = await openChdbEngine({directory: join(directory, 'warehouse')});
  return {
    engine,
    directory,
    remove: async () => {
      await engine.close();
      await rm(directory, {recursive: true, force: true});
    },
  };
}
