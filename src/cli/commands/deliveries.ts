import {AssayError} from '../../core/errors.ts';
import type {DeliveryResult} from '../../notify/channel.ts';
import {type Notifications, openNotifications} from '../../roles/notifications.ts';
import type {DeliveryRow} from '../../warehouse/warehouse.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

const LISTED_MAX = 1_000;
const STATES: readonly DeliveryRow['state'][] = ['due', 'delivered', 'failed', 'disabled'];

export const deliveriesCommand: Command = {
  name: 'deliveries',
  arguments: '[action] [id]',
  summary: '`list` messages of the outbox, `show ID` with its attempts, `redeliver ID`, or `test CHANNEL` with one message',
  options: [
    {flags: '--state <state>', describe: `list only ${STATES.join(', ')}`},
    {flags: '--channel <name>', describe: 'list only this channel'},
    {flags: '--now', describe: 'redeliver: post it from this process and say how it went'},
  ],
  needs: 'platform',
  run: async invocation => {
    const [action = 'list', id] = invocation.args;
    if (action === 'list') return list(invocation);
    const work = ACTIONS[action];
    if (work === undefined) throw new AssayError('ASSAY_USAGE', `deliveries knows list, show, redeliver and test, not ${JSON.stringify(action)}`);
    if (id === undefined) throw new AssayError('ASSAY_USAGE', `deliveries ${action} needs ${action === 'test' ? 'the name of a channel' : 'the id of a delivery'}`);
    return work(id, {invocation, notifications: openNotifications(await invocation.platform())});
  },
};

type Work = {readonly invocation: Invocation; readonly notifications: Notifications};

const ACTIONS: Readonly<Record<string, (id: string, work: Work) => Promise<number>>> = {show, redeliver, test};

/** Oldest first, without bodies. */
async function list({options, io, platform}: Invocation): Promise<number> {
  const state = textOption(options, 'state');
  if (state !== undefined && !STATES.includes(state as DeliveryRow['state'])) {
    throw new AssayError('ASSAY_USAGE', `--state must be one of ${STATES.join(', ')}, got ${JSON.stringify(state)}`);
  }
  const {warehouse} = await platform();
  const rows = await warehouse.deliveries({states: state === undefined ? [] : [state as DeliveryRow['state']], limit: LISTED_MAX});
  const channel = textOption(options, 'channel');
  const shown = rows.filter(row => channel === undefined || row.channel === channel).map(withoutBody);
  if (rows.length === LISTED_MAX) io.err(`only the oldest ${LISTED_MAX} are listed; narrow them with --state\n`);
  io.out(options['json'] === true ? `${JSON.stringify(shown)}\n` : formatTable(shown.map(({content_type: _, ...row}) => row)));
  return EXIT.done;
}

async function show(id: string, {invocation: {options, io}, notifications: {outbox}}: Work): Promise<number> {
  const history = await outbox.history(id);
  const newest = history.at(-1);
  if (newest === undefined) throw new AssayError('ASSAY_NOT_FOUND', `no delivery ${id}; \`assay deliveries list\` has them all`);
  const log = history.map(({attempt, state, changed_at, next_attempt_at, last_status, last_error, duration_ms}) => ({
    attempt, state, changed_at, next_attempt_at, last_status, last_error, duration_ms,
  }));
  if (options['json'] === true) io.out(`${JSON.stringify({...newest, history: log})}\n`);
  else io.out(`${newest.delivery_id} to ${newest.channel}: ${newest.subject}\n\n${formatTable(log)}\n${newest.body}\n`);
  return EXIT.done;
}

async function redeliver(id: string, {invocation: {options, io, isInsideOwner}, notifications: {outbox}}: Work): Promise<number> {
  const isNow = options['now'] === true;
  const row = isNow ? await outbox.deliverNow(id) : await outbox.redeliver(id);
  io.out(options['json'] === true ? `${JSON.stringify(withoutBody(row))}\n` : `${id} is ${row.state}${row.last_error === '' || !isNow ? '' : `: ${row.last_error}`}\n`);
  if (!isNow && !isInsideOwner) io.err('it is sent by the process that runs the jobs (`assay up`, `assay jobs`), or from here with --now\n');
  return !isNow || row.state === 'delivered' ? EXIT.done : EXIT.failed;
}

/** One message, one attempt, outside the outbox. */
async function test(name: string, {invocation: {options, io}, notifications}: Work): Promise<number> {
  const result = await notifications.testChannel(name);
  io.out(options['json'] === true ? `${JSON.stringify(testLine(name, result))}\n` : `${name}: ${testText(result)}\n`);
  return result.outcome === 'delivered' ? EXIT.done : EXIT.failed;
}

const testLine = (channel: string, result: DeliveryResult) => ({
  channel, outcome: result.outcome, status: result.status, error: result.outcome === 'delivered' ? '' : result.error, duration_ms: Math.round(result.durationMs),
});

const testText = (result: DeliveryResult): string =>
  result.outcome === 'delivered' ? `delivered, answered ${result.status} after ${Math.round(result.durationMs)} ms` : `${result.outcome}: ${result.error}`;

const withoutBody = ({body: _, ...row}: DeliveryRow): Omit<DeliveryRow, 'body'> => row;
