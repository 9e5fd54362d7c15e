import {AssayError} from '../../core/errors.ts';
import {DEMO_OPTIONS, openSimulation, planSimulation, sendSimulation} from '../../roles/demo-run.ts';
import {type Command, EXIT, textOption} from '../command.ts';
import {openProgress} from '../progress.ts';

export const simulateCommand: Command = {
  name: 'simulate',
  summary: 'publish the events of a simulated LLM platform into a stream; workers count them',
  options: [
    {flags: '--users <n>', describe: `users who meet the experiments (default ${DEMO_OPTIONS.users})`},
    {flags: '--seed <n>', describe: 'the same seed makes the same events'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {options, io} = invocation;
    const platform = await invocation.platform();
    const simulation = {
      ...DEMO_OPTIONS,
      stream: textOption(options, 'stream') ?? 'simulation',
      users: whole(options, 'users', DEMO_OPTIONS.users),
      seed: whole(options, 'seed', DEMO_OPTIONS.seed),
    };
    const stream = await openSimulation(platform, simulation);
    const planned = await planSimulation(platform, stream, simulation);
    const progress = openProgress(io);
    const {sent, events} = await sendSimulation(platform, {
      stream,
      planned,
      signal: io.signal,
      onProgress: count => progress.show(`sent ${count} of ${planned.length} records`),
    });
    progress.done();
    io.out(options['json'] === true ? `${JSON.stringify({stream: stream.name, sent, events})}\n` : `${sent} events sent into stream ${stream.name}\n`);
    return EXIT.done;
  },
};

function whole(options: Readonly<Record<string, unknown>>, name: string, otherwise: number): number {
  if (options[name] === undefined) return otherwise;
  const value = Number(options[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new AssayError('ASSAY_USAGE', `--${name} must be a whole number above 0, got ${JSON.stringify(options[name])}`);
}
