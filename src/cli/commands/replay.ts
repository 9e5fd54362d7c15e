import {type ReplayRequest, replayVerdict} from '../../analyze/replay.ts';
import {viewOf} from '../../experiment/state.ts';
import type {Platform} from '../../roles/platform.ts';
import {analysisFromLog} from '../../roles/replay-log.ts';
import {type Command, EXIT} from '../command.ts';

export const replayCommand: Command = {
  name: 'replay',
  arguments: '<verdict-id>',
  summary: 'recompute a stored verdict from facts; exit 3 when its evidence differs',
  options: [{flags: '--from-log', describe: 'count the records of the log again, over the offsets that the verdict covers, instead of the stored facts'}],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const platform = await invocation.platform();
    const {warehouse, clock, versions, registry} = platform;
    await registry.caughtUp();
    const verdictId = args[0] ?? '';
    const counted = options['fromLog'] === true ? await storeFromLog(platform, verdictId) : warehouse;
    const result = await replayVerdict({
      warehouse: counted,
      clock,
      versions,
      verdictId,
      viewOf: version => viewOf(registry.snapshot(), version) ?? null,
    });
    if (options['json'] === true) io.out(`${JSON.stringify(result)}\n`);
    else {
      io.out(result.identical ? `identical: ${args[0]} is what ${options['fromLog'] === true ? 'the log gives' : 'the facts give'}\n` : `different: ${result.differences.length} places (${result.reason})\n`);
      for (const {path, stored, recomputed} of result.differences) io.out(`  ${path}: stored ${JSON.stringify(stored)}, recomputed ${JSON.stringify(recomputed)}\n`);
    }
    return result.identical ? EXIT.done : EXIT.found;
  },
};

/** Facts of the log, verdicts and books of the warehouse. An unknown verdict is left to the replay to refuse. */
async function storeFromLog(platform: Platform, verdictId: string): Promise<ReplayRequest['warehouse']> {
  const {warehouse, registry} = platform;
  const stored = await warehouse.verdict(verdictId);
  const stream = stored === null ? undefined : registry.snapshot().streams.get(stored.stream);
  if (stored === null || stream === undefined) return warehouse;
  const analysis = await analysisFromLog(platform, {stream, offsets: stored.offsets});
  return {
    ...analysis,
    verdict: id => warehouse.verdict(id),
    latestVerdicts: (of, experiment) => warehouse.latestVerdicts(of, experiment),
    ledger: (of, committed) => warehouse.ledger(of, committed),
  };
}
