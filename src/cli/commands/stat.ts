import {createInterface} from 'node:readline';
import {runCase} from '../../stats/run-case.ts';
import {messageOf} from '../../core/errors.ts';
import {type Command, EXIT} from '../command.ts';

export const statCommand: Command = {
  name: 'stat',
  summary: 'one case {test, input, options} a line as JSON on stdin → one result a line',
  needs: 'nothing',
  run: async ({io}) => {
    for await (const line of createInterface({input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY})) {
      if (line.trim() === '') continue;
      io.out(`${JSON.stringify(resultOf(line))}\n`);
    }
    return EXIT.done;
  },
};

function resultOf(line: string): object {
  try {
    return runCase(JSON.parse(line));
  } catch (error) {
    return {error: 'invalid_argument', message: `the line is not a JSON case {test, input, options}: ${messageOf(error)}`};
  }
}
