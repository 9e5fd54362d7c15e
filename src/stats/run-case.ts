import {asymptoticConfidenceSequence} from './asymptotic-confidence-sequence.ts';
import {boxPlot} from './box-plot.ts';
import {chiSquare} from './chi-square.ts';
import {compositeScore} from './composite-score.ts';
import {csat} from './csat.ts';
import {cuped} from './cuped.ts';
import {distribution} from './distribution.ts';
import {dynamicThreshold} from './dynamic-threshold.ts';
import {ewma} from './ewma.ts';
import {ksTwoSample} from './ks-two-sample.ts';
import {mannWhitneyU} from './mann-whitney-u.ts';
import {momentsMerge} from './moments-merge.ts';
import {msprt} from './msprt.ts';
import {multipleComparisons} from './multiple-comparisons.ts';
import {nps} from './nps.ts';
import {npsDifference} from './nps-difference.ts';
import {attempt, type NotComputable, refuse} from './outcome.ts';
import {pairedT} from './paired-t.ts';
import {power} from './power.ts';
import {quantileCi} from './quantile-ci.ts';
import {quantileDifference} from './quantile-difference.ts';
import {ratioMetric} from './ratio-metric.ts';
import {readRecord} from './read-input.ts';
import {describe} from './read-options.ts';
import {relativeLift} from './relative-lift.ts';
import {srm} from './srm.ts';
import {twoProportion} from './two-proportion.ts';
import {welchT} from './welch-t.ts';
import {wilcoxonSignedRank} from './wilcoxon-signed-rank.ts';
import {winsorisedMeanDifference} from './winsorised-mean-difference.ts';

/** Every test checks its input and options at run time, so `never` only says that no caller here knows their types. */
type Test = (input: never, options: never) => ({status: 'ok'} & object) | NotComputable;

const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['asymptotic-confidence-sequence', asymptoticConfidenceSequence],
  ['box-plot', boxPlot],
  ['chi-square', chiSquare],
  ['composite-score', compositeScore],
  ['csat', csat],
  ['cuped', cuped],
  ['distribution', distribution],
  ['dynamic-threshold', dynamicThreshold],
  ['ewma', ewma],
  ['ks-two-sample', ksTwoSample],
  ['mann-whitney-u', mannWhitneyU],
  ['moments-merge', momentsMerge],
  ['msprt', msprt],
  ['multiple-comparisons', multipleComparisons],
  ['nps', nps],
  ['nps-difference', npsDifference],
  ['paired-t', pairedT],
  ['power', power],
  ['quantile-ci', quantileCi],
  ['quantile-difference', quantileDifference],
  ['ratio-metric', ratioMetric],
  ['relative-lift', relativeLift],
  ['srm', srm],
  ['two-proportion', twoProportion],
  ['welch-t', welchT],
  ['wilcoxon-signed-rank', wilcoxonSignedRank],
  ['winsorised-mean-difference', winsorisedMeanDifference],
]);

/**
 * Runs one case `{test, input, options}` of a line-based protocol. JSON has no NaN
 * or Infinity: the strings "NaN", "Infinity" and "-Infinity" stand for them both ways.
 * Returns the result, or `{error, message}`; malformed input never throws.
 */
export function runCase(line: unknown): object {
  const outcome = runTest(line);
  if (outcome.status !== 'ok') return {error: outcome.reason, message: outcome.message};
  const {status: _, ...result} = outcome;
  return encode(result) as object;
}

function runTest(line: unknown): ({status: 'ok'} & object) | NotComputable {
  const found = attempt(() => {
    const given = readRecord(line, 'the case');
    const test = TESTS.get(given['test'] as string);
    if (test === undefined) {
      return refuse(
        'invalid_argument',
        `test is ${describe(given['test'])}: it must be one of ${[...TESTS.keys()].join(', ')}`,
      );
    }
    return {test, input: decode(given['input']), options: decode(given['options'])};
  });
  return found.status === 'ok' ? found.test(found.input as never, found.options as never) : found;
}

const NON_FINITE: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** No test nests deeper; a limit keeps a hostile line from exhausting the stack. */
const DEPTH_MAX = 8;

function decode(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return NON_FINITE.get(value) ?? value;
  if (depth > DEPTH_MAX)
    return refuse(
      'invalid_argument',
      `input is nested more than ${DEPTH_MAX} levels deep: no test takes that`,
    );
  if (Array.isArray(value)) return value.map(item => decode(item, depth + 1));
  return ArrayBuffer.isView(value) ? value : mapValues(value, item => decode(item, depth + 1));
}

function encode(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(encode);
  return typeof value === 'object' && value !== null ? mapValues(value, encode) : value;
}

function mapValues(record: object, map: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
