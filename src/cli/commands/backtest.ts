import {AssayError} from '../../core/errors.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {Episode} from '../../guard/backtest.ts';
import type {Prevented} from '../../guard/prevented.ts';
import {newestCut} from '../../roles/analysis.ts';
import {backtestNamed} from '../../roles/guard-backtest.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

const WEEK_MS = 7 * 86_400_000;

export const backtestCommand: Command = {
  name: 'backtest',
  arguments: '<rule>',
  summary: 'when a rule of the rules file, or a guard, would have fired over stored slices, and what it would have prevented',
  options: [
    {flags: '--from <time>', describe: 'ISO 8601; a week before --to unless given'},
    {flags: '--to <time>', describe: 'ISO 8601; the newest complete data unless given'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const platform = await invocation.platform();
    const stream = await defaultStream(platform, textOption(options, 'stream'));
    const to = timeOption(invocation, 'to') ?? (await newestCut(platform, stream));
    if (to === null) throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no complete data yet`);
    const from = timeOption(invocation, 'from') ?? epochMs(Math.max(0, to - WEEK_MS));
    if (from >= to) throw new AssayError('ASSAY_USAGE', `--from must be before --to (${new Date(to).toISOString()}), got ${new Date(from).toISOString()}`);
    const found = await backtestNamed(platform, {stream, from, to, name: args[0] ?? ''});
    const {episodes} = found;
    if (options['json'] === true) io.out(`${JSON.stringify({...found, stream: stream.name})}\n`);
    else io.out(`${found.rule} would have fired ${episodes.length === 1 ? 'once' : `${episodes.length} times`} from ${found.from} to ${found.to}\n${episodes.length === 0 ? '' : formatTable(episodes.map(shown))}`);
    return EXIT.done;
  },
};

const shown = ({rule, experiment, variant, action, window_start, fired_at, resolved_at, reason, prevented}: Episode) => ({rule, experiment, variant, action, window_start, fired_at, resolved_at, reason, prevented: preventedText(prevented)});

/** `12034 outcomes; error_rate 0.41 against 0.01, 4813 worse in all than control`. */
function preventedText(prevented: Prevented | null): string {
  if (prevented === null) return '-';
  const short = (value: number): string => String(Number(value.toPrecision(4)));
  const parts = prevented.metrics.flatMap(({metric, value, control, excess}) => {
    if (value === null) return [];
    const against = control === null ? '' : ` against ${short(control)}`;
    return [`${metric} ${short(value)}${against}${excess === null ? '' : `, ${short(Math.abs(excess))} ${excess < 0 ? 'better' : 'worse'} in all than control`}`];
  });
  return [`${prevented.outcomes} outcomes`, ...parts].join('; ');
}

function timeOption({options}: Invocation, name: string): EpochMs | null {
  const text = textOption(options, name);
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new AssayError('ASSAY_USAGE', `--${name} must be a time such as 2026-11-21T08:00:00Z, got ${JSON.stringify(text)}`);
  return epochMs(at);
}
