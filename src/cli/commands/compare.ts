import {AssayError} from '../../core/errors.ts';
import {epochMs, type EpochMs} from '../../core/units.ts';
import {parseDuration} from '../../experiment/duration.ts';
import type {ComparisonTable} from '../../guard/comparison-table.ts';
import {compareExperiment} from '../../roles/compare.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

const WINDOW = '1h';

export const compareCommand: Command = {
  name: 'compare',
  arguments: '<experiment>',
  summary: 'each variant’s newest window beside control’s, with what is tolerated, and the health score; exit 3 when one is worse or critical',
  options: [
    {flags: '--window <duration>', describe: `how much time, a multiple of the base slice (${WINDOW})`},
    {flags: '--to <time>', describe: 'the window’s end, ISO 8601; where the newest data ends unless given'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const platform = await invocation.platform();
    const stream = await defaultStream(platform, textOption(options, 'stream'), args[0]);
    const text = textOption(options, 'window') ?? WINDOW;
    const windowMs = parseDuration(text);
    if (windowMs === undefined || windowMs <= 0 || windowMs % stream.sliceMs !== 0) {
      throw new AssayError('ASSAY_USAGE', `--window ${JSON.stringify(text)} is no multiple of the base slice of stream ${stream.name}, ${stream.sliceMs / 1_000} s; write it like 60s, 10m or 1h`);
    }
    const to = timeOption(textOption(options, 'to'));
    const table = await compareExperiment(platform, {stream, experiment: args[0] ?? '', windowMs, ...(to === undefined ? {} : {to})});
    io.out(options['json'] === true ? `${JSON.stringify(table)}\n` : textOf(table));
    const isBad = table.comparisons.some(({state}) => state === 'worse') || table.health.some(({grade}) => grade === 'critical');
    return isBad ? EXIT.found : EXIT.done;
  },
};

function timeOption(text: string | undefined): EpochMs | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new AssayError('ASSAY_USAGE', `--to ${JSON.stringify(text)} is no time; write it like 2026-11-21T08:00:00Z`);
  return epochMs(at);
}

function textOf({experiment, phase, config_version, control, window_start, window_end, comparisons, health}: ComparisonTable): string {
  const percent = (share: number | null): string => (share === null ? '-' : `${(share * 100).toFixed(2)} %`);
  const rows = comparisons.map(one => ({
    metric: one.metric,
    variant: one.variant,
    [control]: one.control,
    value: one.value,
    difference: one.difference,
    relative: percent(one.relative),
    tolerated: one.tolerated,
    n: `${one.n_control}/${one.n_variant}`,
    state: one.state,
  }));
  const scores = health.map(({variant, score, grade, n, reason}) => ({variant, health_score: score, grade, n, reason}));
  const head = `${experiment} phase ${phase} (version ${config_version}) ${window_start} to ${window_end}, against ${control}\n`;
  return [head, formatTable(rows), ...(scores.length === 0 ? [] : [formatTable(scores)])].join('\n');
}
