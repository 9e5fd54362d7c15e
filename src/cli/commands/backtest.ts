import {AssayError} from '../../core/errors.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import {backtest, type Episode, rulesNamed} from '../../guard/backtest.ts';
import {rulesOfGuards} from '../../guard/rules.ts';
import {expectedData, loadRuleFile} from '../../roles/alerts.ts';
import {newestCut} from '../../roles/analysis.ts';
import {currentViews} from '../../roles/closing-config.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

const WEEK_MS = 7 * 86_400_000;

export const backtestCommand: Command = {
  name: 'backtest',
  arguments: '<rule>',
  summary: 'when a rule of the rules file, or a guard, would have fired over stored slices',
  options: [
    {flags: '--from <time>', describe: 'ISO 8601; a week before --to unless given'},
    {flags: '--to <time>', describe: 'ISO 8601; the newest complete data unless given'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const platform = await invocation.platform();
    const {warehouse, registry, config} = platform;
    const stream = await defaultStream(platform, textOption(options, 'stream'));
    const views = currentViews(registry, stream.name);
    const known = [...loadRuleFile(config.text('rules.file')).rules, ...views.flatMap(rulesOfGuards)];
    const rules = rulesNamed(known, args[0] ?? '');
    if (rules.length === 0) {
      throw new AssayError('ASSAY_NOT_FOUND', `no rule ${JSON.stringify(args[0])}; known: ${known.map(rule => rule.name).join(', ') || 'none, give a file with --rules'}`);
    }
    const to = timeOption(invocation, 'to') ?? (await newestCut(platform, stream));
    if (to === null) throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no complete data yet`);
    const from = timeOption(invocation, 'from') ?? epochMs(Math.max(0, to - WEEK_MS));
    if (from >= to) throw new AssayError('ASSAY_USAGE', `--from must be before --to (${new Date(to).toISOString()}), got ${new Date(from).toISOString()}`);
    const experiments = views.map(view => view.experiment);
    const episodes = await backtest({warehouse, stream: stream.name, slideMs: stream.sliceMs, experiments, rules, from, to, expected: expectedData(views)});
    if (options['json'] === true) io.out(`${JSON.stringify({rule: args[0], stream: stream.name, from: new Date(from).toISOString(), to: new Date(to).toISOString(), episodes})}\n`);
    else io.out(`${String(args[0])} would have fired ${episodes.length === 1 ? 'once' : `${episodes.length} times`} from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}\n${episodes.length === 0 ? '' : formatTable(episodes.map(shown))}`);
    return EXIT.done;
  },
};

const shown = ({rule, experiment, variant, window_start, fired_at, resolved_at, reason}: Episode) => ({rule, experiment, variant, window_start, fired_at, resolved_at, reason});

function timeOption({options}: Invocation, name: string): EpochMs | null {
  const text = textOption(options, name);
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new AssayError('ASSAY_USAGE', `--${name} must be a time such as 2026-11-21T08:00:00Z, got ${JSON.stringify(text)}`);
  return epochMs(at);
}
