import {runCli} from './cli/run.ts';

const aborter = new AbortController();
let isAsked = false;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // The second signal does not wait for the drain.
    if (isAsked) process.exit(130);
    isAsked = true;
    aborter.abort();
  });
}
// A closed pipe (`assay query … | head`) ends the command, it is not an error of ours.
process.stdout.on('error', () => process.exit(0));

process.exitCode = await runCli(process.argv.slice(2), {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  cwd: process.cwd(),
  signal: aborter.signal,
  isTerminal: process.stderr.isTTY === true,
});
