import type {Verdict} from '../../core/verdict.ts';
import {analyzeAndStore, AUDIT_SLICES, auditState, auditStream, requireView} from '../../roles/analysis.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

export const analyzeCommand: Command = {
  name: 'analyze',
  alias: 'analyse',
  arguments: '<experiment>',
  summary: 'compute, store and print the verdicts of an experiment',
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const platform = await invocation.platform();
    const stream = await defaultStream(platform, textOption(options, 'stream'), args[0]);
    const experiment = args[0] ?? '';
    requireView(platform, stream, experiment);
    const audit = auditState(await auditStream(platform, stream, AUDIT_SLICES), platform.clock.now());
    const verdicts = await analyzeAndStore(platform, {stream, experiment, audit});
    io.out(options['json'] === true ? `${JSON.stringify(verdicts)}\n` : verdictTable(verdicts));
    return EXIT.done;
  },
};

/** The rows a person wants first. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  return formatTable(
    verdicts.map(verdict => ({
      metric: verdict.metric,
      variant: `${verdict.variant} vs ${verdict.control}`,
      decision: verdict.decision,
      n: `${verdict.n_control}/${verdict.n_variant}`,
      mean_control: verdict.mean_control,
      mean_variant: verdict.mean_variant,
      effect: verdict.effect_absolute,
      test: verdict.test,
      p: verdict.p_value,
      p_always_valid: verdict.p_value_always_valid,
      reasons: verdict.reasons.join(', '),
      verdict_id: verdict.verdict_id,
    })),
  );
}
