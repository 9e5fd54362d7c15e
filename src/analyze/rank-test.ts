import type {TestEvidence} from '../core/verdict.ts';
import {mannWhitneyU} from '../stats/mann-whitney-u.ts';
import {notComputable} from './applied-test.ts';
import type {Distribution} from './inputs.ts';
import {twoArms} from './quantiles.ts';

export type RankedArms = {readonly control: string; readonly variant: string};

/** Mann–Whitney on the units' means, each unit as one; the estimate is the Hodges–Lehmann shift of the variant. */
export function rankTest(unitGroups: Distribution, {control, variant}: RankedArms): TestEvidence {
  if (unitGroups.status !== 'ok') return notComputable('mann-whitney-u', unitGroups.reason);
  const test = mannWhitneyU({columns: twoArms(unitGroups.groups, {a: variant, b: control})});
  if (test.status !== 'ok') return notComputable('mann-whitney-u', test);
  return {
    test: 'mann-whitney-u',
    status: 'ok',
    statistic: test.statistic,
    p_value: test.pValue,
    estimate: test.hodgesLehmann,
    n_control: test.nB,
    n_variant: test.nA,
    details: {
      method: test.method,
      continuity: test.method === 'asymptotic',
      per: 'unit',
      u_control: test.u2,
      ...(test.z === undefined ? {} : {z: test.z}),
      rank_biserial: test.effectSize.rankBiserial,
      common_language: test.effectSize.commonLanguage,
    },
  };
}
