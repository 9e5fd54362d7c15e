import {AssayError} from '../../core/errors.ts';
import type {Stream} from '../../core/streams.ts';
import {forgetUnit, type ForgetReport} from '../../roles/forget.ts';
import {defaultStream} from '../../roles/streams.ts';
import {unitIdHasher} from '../../roles/unit-ids.ts';
import {type Command, EXIT, textOption} from '../command.ts';

const WAIT_S_DEFAULT = 60;

export const forgetCommand: Command = {
  name: 'forget',
  arguments: '<unit-id>',
  summary: "erase a unit's events from every stream (or the one named); later replays do not bring them back",
  options: [
    {flags: '--reason <text>', describe: 'kept with the tombstone'},
    {flags: '--wait <seconds>', describe: `how long workers may take to read what was sent so far (default ${WAIT_S_DEFAULT})`},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io, config} = invocation;
    const logKey = requireUnit(args[0]);
    const unitId = unitIdHasher(config)(logKey);
    const waitMs = readWait(textOption(options, 'wait')) * 1000;
    const platform = await invocation.platform();
    const named = textOption(options, 'stream');
    const streams: readonly Stream[] = named === undefined ? [...platform.registry.snapshot().streams.values()] : [await defaultStream(platform, named)];
    const reports: ForgetReport[] = [];
    for (const stream of streams) {
      reports.push(await forgetUnit(platform, {stream, unitId, logKey, reason: textOption(options, 'reason') ?? '', signal: io.signal, waitMs}));
    }
    const events = reports.reduce((sum, report) => sum + report.events, 0);
    if (options['json'] === true) io.out(`${JSON.stringify({unit_id: unitId, events, streams: reports})}\n`);
    else {
      if (reports.length === 0) io.out('there is no stream yet, so there is nothing to forget\n');
      for (const report of reports) {
        const through = report.forgotten_through === null ? 'nothing ever arrived' : `${report.events} events that arrived through ${report.forgotten_through} erased`;
        io.out(`stream ${report.stream}: ${through}\n`);
      }
      if (events > 0) io.out('the log itself still holds the records until its retention ends; slices and verdicts made before stay and are not verifiable where they held the unit\n');
    }
    return EXIT.done;
  },
};

function requireUnit(unitId: string | undefined): string {
  if (unitId !== undefined && unitId !== '') return unitId;
  throw new AssayError('ASSAY_USAGE', 'the unit id is empty; give the unit_id as events carry it');
}

function readWait(text: string | undefined): number {
  const seconds = text === undefined ? WAIT_S_DEFAULT : Number(text);
  if (text?.trim() !== '' && Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new AssayError('ASSAY_USAGE', `--wait is ${JSON.stringify(text)}; give a number of seconds, e.g. --wait 60`);
}
