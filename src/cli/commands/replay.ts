import {replayVerdict} from '../../analyze/replay.ts';
import {viewOf} from '../../experiment/state.ts';
import {type Command, EXIT} from '../command.ts';

export const replayCommand: Command = {
  name: 'replay',
  arguments: '<verdict-id>',
  summary: 'recompute a stored verdict from facts; exit 3 when its evidence differs',
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const {warehouse, clock, versions, registry} = await invocation.platform();
    await registry.caughtUp();
    const result = await replayVerdict({
      warehouse,
      clock,
      versions,
      verdictId: args[0] ?? '',
      viewOf: version => viewOf(registry.snapshot(), version) ?? null,
    });
    if (options['json'] === true) io.out(`${JSON.stringify(result)}\n`);
    else {
      io.out(result.identical ? `identical: ${args[0]} is what the facts give\n` : `different: ${result.differences.length} places\n`);
      for (const {path, stored, recomputed} of result.differences) io.out(`  ${path}: stored ${JSON.stringify(stored)}, recomputed ${JSON.stringify(recomputed)}\n`);
    }
    return result.identical ? EXIT.done : EXIT.found;
  },
};
