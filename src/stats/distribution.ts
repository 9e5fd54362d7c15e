import {chiSquareSf} from './chi-square-distribution.ts';
import {kolmogorovSf} from './kolmogorov.ts';
import {normal} from './normal.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {rankSum} from './rank-sum.ts';
import {readNumbers, readRecord, requireFinite} from './read-input.ts';
import {readOptions} from './read-options.ts';
import {signedRank} from './signed-rank.ts';
import {studentT} from './student-t.ts';

/** Checks one argument; the text says what it must be. */
interface Parameter {
  readonly name: string;
  readonly rule: string;
  readonly isFine: (value: number) => boolean;
}

interface Evaluation {
  readonly parameters: readonly Parameter[];
  readonly evaluate: (args: readonly number[]) => number;
}

const real = (name: string): Parameter => ({name, rule: 'a number', isFine: () => true});
const positive = (name: string): Parameter => ({name, rule: 'above 0', isFine: value => value > 0});
const probability: Parameter = {
  name: 'p',
  rule: 'between 0 and 1',
  isFine: value => value >= 0 && value <= 1,
};
const count = (name: string): Parameter => ({
  name,
  rule: 'a whole number from 1 to 1000',
  isFine: value => Number.isInteger(value) && value >= 1 && value <= 1000,
});

function evaluation(parameters: readonly Parameter[], evaluate: (...args: number[]) => number): Evaluation {
  return {parameters, evaluate: args => evaluate(...args)};
}

const FUNCTIONS: ReadonlyMap<string, Evaluation> = new Map([
  ['studentT.cdf', evaluation([real('x'), positive('df')], (x = 0, df = 1) => studentT.cdf(x, df))],
  ['studentT.sf', evaluation([real('x'), positive('df')], (x = 0, df = 1) => studentT.sf(x, df))],
  [
    'studentT.quantile',
    evaluation([probability, positive('df')], (p = 0, df = 1) => studentT.quantile(p, df)),
  ],
  ['normal.cdf', evaluation([real('z')], (z = 0) => normal.cdf(z))],
  ['normal.sf', evaluation([real('z')], (z = 0) => normal.sf(z))],
  ['normal.quantile', evaluation([probability], (p = 0) => normal.quantile(p))],
  ['chiSquare.sf', evaluation([real('x'), positive('df')], (x = 0, df = 1) => chiSquareSf(x, df))],
  ['signedRank.cdf', evaluation([real('w'), count('n')], (w = 0, n = 1) => signedRank.cdf(w, n))],
  [
    'mannWhitney.cdf',
    evaluation([real('u'), count('n1'), count('n2')], (u = 0, n1 = 1, n2 = 1) => rankSum.cdf(u, n1, n2)),
  ],
  ['kolmogorov.sf', evaluation([real('lambda')], (lambda = 0) => kolmogorovSf(lambda))],
]);

/**
 * One value of a distribution by name, e.g. `studentT.sf` of [t, df].
 * Errors: `non_finite`, `invalid_argument` (unknown function, wrong number of arguments, argument out of range).
 */
export function distribution(
  input: {readonly fn: string; readonly args: readonly number[]},
  options?: object,
): Outcome<{readonly value: number}> {
  return attempt(() => {
    readOptions(options, {});
    const given = readRecord(input, 'input');
    const found = FUNCTIONS.get(String(given['fn']));
    if (found === undefined) {
      return refuse(
        'invalid_argument',
        `fn is ${JSON.stringify(given['fn'])}: it must be one of ${[...FUNCTIONS.keys()].join(', ')}`,
      );
    }
    const args = readNumbers(given['args'], 'args');
    const names = found.parameters.map(parameter => parameter.name).join(', ');
    if (args.length !== found.parameters.length)
      refuse('invalid_argument', `args has ${args.length} values: ${given['fn']} takes ${names}`);
    requireFinite(args, 'args');
    found.parameters.forEach(({name, rule, isFine}, i) => {
      if (!isFine(args[i] as number)) refuse('invalid_argument', `${name} is ${args[i]}: it must be ${rule}`);
    });
    if (
      given['fn'] === 'mannWhitney.cdf' &&
      !rankSum.isFeasible(args[1] as number, args[2] as number, false)
    ) {
      refuse(
        'invalid_argument',
        `n1 and n2 are ${args[1]} and ${args[2]}: the exact distribution takes too long; use smaller ones`,
      );
    }
    return {value: found.evaluate(Array.from(args))};
  });
}
