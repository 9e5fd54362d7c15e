import {describe, expect, test} from 'vitest';
import {assign, type AssignableVersion} from '../../src/assign/assign.ts';
import {assignRequestOf} from '../../src/assign/http-request.ts';
import {deriveSlots} from '../../src/assign/slots.ts';

const variants = [{key: 'v1', weight: 100}, {key: 'v2', weight: 0}, {key: 'v3', weight: 0}];
const version: AssignableVersion = {
  version: 1, phase: 1, slots: deriveSlots(variants, 1),
  definition: {
    variants, control: 'v1', fallback: 'v1', lifecycle: 'running', salt: 's', layer: null, sampleRate: 1, targeting: {region: ['eu']},
    overrides: [{kind: 'header', name: 'X-Assay-Variant'}, {kind: 'query', name: 'variant'}, {kind: 'session', name: 'assay_variant'}],
  },
};
const answer = (query: Record<string, unknown>, headers: Record<string, string | string[]> = {}) => {
  const {variant, cause} = assign(version, assignRequestOf('u', {query, headers}));
  return [variant, cause];
};
const EU = {'attribute.region': 'eu'};

describe('what an HTTP request says about a unit', () => {
  test.each([
    ['nothing but attributes', EU, {}, ['v1', 'slot']],
    ['no attribute', {}, {}, ['v1', 'not_targeted']],
    ['a header of its own, in any case', EU, {'x-assay-variant': 'v2'}, ['v2', 'override']],
    ['a header told in the query', {'header.x-ASSAY-variant': 'v2'}, {}, ['v2', 'override']],
    ['one told wins over its own', {'header.x-assay-variant': 'v3'}, {'x-assay-variant': 'v2'}, ['v3', 'override']],
    ['a query parameter', {variant: 'v2'}, {}, ['v2', 'override']],
    ['a session told in the query', {'session.assay_variant': 'v3'}, {}, ['v3', 'override']],
    ['a cookie', {}, {cookie: 'a=1; assay_variant="v3"; assay_variant=v2'}, ['v3', 'override']],
    ['the first kind written wins', {variant: 'v3', 'session.assay_variant': 'v3'}, {'x-assay-variant': 'v2'}, ['v2', 'override']],
    ['a variant that is none', {variant: 'v9', ...EU}, {}, ['v1', 'slot']],
    ['a header of another name', EU, {'x-other': 'v2'}, ['v1', 'slot']],
    ['a header twice', EU, {'x-assay-variant': ['v2', 'v3']}, ['v1', 'slot']],
    ['a broken cookie', EU, {cookie: 'assay_variant=%E0%A4%A; =; x'}, ['v1', 'slot']],
  ])('%s', (_, query, headers, wanted) => {
    expect(answer(query, headers as Record<string, string>)).toEqual(wanted);
  });
});
