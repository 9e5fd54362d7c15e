import {examine, type Finding} from '../../roles/doctor.ts';
import {type Command, EXIT} from '../command.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'look at configuration, brokers, topics, warehouse, clocks and disk; each line with its fix; exit 3 when something fails',
  needs: 'nothing',
  asks: true,
  run: async ({config, io, options, ask}) => {
    const findings = await examine(config, async sql => {
      const [row] = JSON.parse(await ask(['query', sql, '--json'])) as Record<string, unknown>[];
      return String(Object.values(row ?? {})[0] ?? '');
    });
    const failed = findings.filter(({status}) => status === 'fail').length;
    const warned = findings.filter(({status}) => status === 'warn').length;
    if (options['json'] === true) io.out(`${JSON.stringify({healthy: failed === 0, failed, warned, findings})}\n`);
    else io.out(`${findings.map(lineOf).join('')}${findings.length} looked at, ${warned} warnings, ${failed} failures\n`);
    return failed === 0 ? EXIT.done : EXIT.found;
  },
};

const lineOf = ({status, check, detail, fix}: Finding): string => `${status.padEnd(4)}  ${check}: ${detail}\n${fix === null ? '' : `      fix: ${fix}\n`}`;
