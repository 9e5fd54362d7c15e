import {accessSync, constants, existsSync, statfsSync, statSync} from 'node:fs';
import {totalmem} from 'node:os';
import {dirname} from 'node:path';
import type {Config} from '../../config/load.ts';
import {messageOf} from '../../core/errors.ts';
import {fail, type Finding, gibibytes, isLoopback, ok, warn} from './finding.ts';
import {judgeDisk} from './judge-engine.ts';

const NODE_MIN = [20, 12] as const;
/** The engine may take 2 GiB, the process beside it 512 MiB. */
const EMBEDDED_MEMORY_BYTES = 3 * 1024 ** 3;

export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace('v', '').split('.').map(Number);
  const isOld = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  return isOld ? fail('node', `${version} is too old`, `install Node ${NODE_MIN.join('.')} or later`) : ok('node', version);
}

export function judgeMemory(config: Config, bytes = totalmem()): Finding {
  const isShort = config.text('warehouse.kind') === 'embedded' && bytes < EMBEDDED_MEMORY_BYTES;
  return isShort
    ? warn('memory', `${gibibytes(bytes)}; the embedded engine may take 2 GiB of it`, 'use a machine with 4 GiB, or a ClickHouse server')
    : ok('memory', gibibytes(bytes));
}

/** Looks without making anything. */
export function judgeDataDirectory(directory: string): readonly Finding[] {
  const check = 'data directory';
  let place = directory;
  while (!existsSync(place)) place = dirname(place);
  try {
    if (!statSync(place).isDirectory()) return [fail(check, `${place} is a file`, 'give a directory with --data')];
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    return [fail(check, `${place} cannot be written (${messageOf(error)})`, 'give it to the user that runs assay, or another directory with --data')];
  }
  const {bavail, blocks, bsize} = statfsSync(place);
  const made = place === directory ? directory : `${directory} (will be made)`;
  return [ok(check, made), judgeDisk('disk', {freeBytes: bavail * bsize, totalBytes: blocks * bsize})];
}

/** What the values of the options mean together. That each is right was checked when they were read. */
export function judgeConfig(config: Config): readonly Finding[] {
  const found: Finding[] = [];
  const isMixed = (config.text('log.kind') === 'kafka') !== (config.text('warehouse.kind') === 'server');
  if (isMixed) {
    found.push(warn('config', `log.kind is ${config.text('log.kind')} and warehouse.kind ${config.text('warehouse.kind')}: only one process can run`, 'use kafka with server, or both embedded'));
  }
  for (const {name, url} of config.webhooks) {
    const {protocol, hostname} = new URL(url);
    if (protocol === 'http:' && !isLoopback(hostname)) found.push(warn('config', `webhook ${name} is posted to in plain text`, 'use its https:// address'));
  }
  if (config.text('reports.cron') !== '' && config.webhooks.length > 0 && config.text('reports.public_url') === '') {
    found.push(warn('config', 'reports hold no links', 'set reports.public_url to the address that people reach this server at'));
  }
  return found.length === 0 ? [ok('config', 'every option has a value of its kind')] : found;
}
