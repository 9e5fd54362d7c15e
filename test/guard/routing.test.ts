import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {planNotices} from '../../src/guard/plan-notices.ts';
import {parseRuleFile} from '../../src/guard/rule-file.ts';
import {EVERYBODY, type Routing} from '../../src/guard/routing.ts';
import type {AlertRow} from '../../src/warehouse/warehouse.ts';

const T0 = Date.parse('2026-11-21T08:00:00Z');
const iso = (minutes: number): string => new Date(T0 + minutes * 60_000).toISOString();
const alert = (over: Partial<AlertRow> & {labels?: Record<string, string>} = {}): AlertRow => {
  const {labels = {}, ...rest} = over;
  const row: AlertRow = {
    alert_id: `al_${rest.rule ?? 'errors'}_${rest.variant ?? 'v2'}`, stream: 'live', rule: 'errors', experiment: 'answers', variant: 'v2', state: 'firing', severity: 'warning',
    value: 1, threshold: 0, window_start: null, window_end: null, reason: 'why', context: {labels, fired: true, fired_at: iso(0)}, changed_at: iso(0), ...rest,
  };
  return row;
};
const routing = (document: object): Routing => parseRuleFile({rules: [], ...document}).routing;
const plan = (rows: AlertRow[], how: Routing = EVERYBODY, minutes = 0) =>
  planNotices({rows, routing: how, receivers: ['ops', 'chat', 'night'], now: epochMs(T0 + minutes * 60_000), isLive: true});
const told = (notices: ReturnType<typeof plan>): string[] => notices.map(({receiver, alerts}) => `${receiver}: ${alerts.map(({rule, variant, state}) => `${rule}/${variant} ${state}`).join(' + ')}`);

describe('routes', () => {
  const tree = routing({
    route: {receivers: ['ops'], routes: [
      {match: {severity: 'critical'}, receivers: ['chat'], continue: true, routes: [{match: {team: 'search'}, receivers: ['night']}]},
      {match: {experiment: 'answers'}},
    ]},
  });

  test('without a tree everybody who takes alerts is told', () => {
    expect(told(plan([alert()]))).toEqual(['ops: errors/v2 firing', 'chat: errors/v2 firing', 'night: errors/v2 firing']);
  });

  test('the deepest route that matches wins, `continue` goes on, what a route leaves open it inherits', () => {
    expect(told(plan([alert({experiment: 'other'})], tree))).toEqual(['ops: errors/v2 firing']);
    expect(told(plan([alert({severity: 'critical'})], tree))).toEqual(['ops: errors/v2 firing', 'chat: errors/v2 firing'].reverse());
    expect(told(plan([alert({severity: 'critical', labels: {team: 'search'}})], tree))).toEqual(['night: errors/v2 firing', 'ops: errors/v2 firing']);
  });
});

describe('groups', () => {
  const grouped = routing({route: {receivers: ['ops'], group_by: ['experiment'], repeat: '1h'}});

  test('alerts of a group that change at one time are one message, named by what they share and not by who is in it', () => {
    const both = plan([alert(), alert({variant: 'v3'})], grouped);
    expect(told(both)).toEqual(['ops: errors/v2 firing + errors/v3 firing']);
    expect(plan([alert()], grouped)[0]?.about).toEqual(both[0]?.about);
    expect(plan([alert({experiment: 'other'})], grouped)[0]?.about).not.toEqual(both[0]?.about);
  });

  test('an alert that still fires is told again each interval, under a new name; planned twice it is the same name', () => {
    const about = (minutes: number) => JSON.stringify(plan([alert()], grouped, minutes)[0]?.about);
    expect(about(59)).toBe(about(0));
    expect(about(60)).not.toBe(about(0));
    expect(about(119)).toBe(about(60));
    expect(about(120)).not.toBe(about(60));
  });

  test('a stream that was replayed repeats nothing', () => {
    const notices = planNotices({rows: [alert()], routing: grouped, receivers: ['ops'], now: epochMs(T0 + 9e9), isLive: false});
    expect(notices[0]?.about).toEqual(plan([alert()], grouped)[0]?.about);
  });
});

describe('silences and inhibition', () => {
  const quiet = routing({silences: [{match: {experiment: 'answers'}, from: iso(-10), until: iso(30), reason: 'load test'}]});

  test('a silence holds back, and what still fires when it ends is told', () => {
    expect(plan([alert()], quiet, 0)).toEqual([]);
    expect(plan([alert()], quiet, 30)).toHaveLength(3);
    expect(plan([alert({experiment: 'other'})], quiet, 0)).toHaveLength(3);
  });

  test('the end of an alert that was silenced is not told, the end of another is', () => {
    const resolved = (firedMinutes: number) => alert({state: 'resolved', changed_at: iso(40), context: {labels: {}, fired: true, fired_at: iso(firedMinutes)}});
    expect(plan([resolved(0)], quiet, 40)).toEqual([]);
    expect(plan([resolved(35)], quiet, 40)).toHaveLength(3);
  });

  test('a worse alert of the same variant holds back a lesser one, not itself and not another variant’s', () => {
    const rules = routing({inhibit: [{source: {severity: 'critical'}, target: {severity: 'warning'}, equal: ['experiment', 'variant']}]});
    const rows = [alert({rule: 'down', severity: 'critical'}), alert(), alert({variant: 'v3'})];
    expect(told(plan(rows, rules)).filter(text => text.startsWith('ops'))).toEqual(['ops: down/v2 firing', 'ops: errors/v3 firing']);
    expect(told(plan(rows.map(row => (row.rule === 'down' ? {...row, state: 'resolved' as const} : row)), rules)).filter(text => text.includes('errors/v2'))).toHaveLength(3);
  });

  test('pending alerts, and those that never fired, are nobody’s business', () => {
    expect(plan([alert({state: 'pending'}), alert({state: 'resolved', context: {fired: false}})])).toEqual([]);
  });
});

test('every mistake in the file is named at once', () => {
  const act = (): unknown => parseRuleFile({rules: [{name: 'x'}], routs: 1, route: {receivers: 7, repeat: '1s', routes: [{match: 'x', continue: true, colour: 1}]}, inhibit: [{}], silences: [{match: {}, from: 'soon', until: iso(0)}, 5]});
  for (const part of ['routs is not known', 'route.receivers', 'route.repeat', 'route.routes[0].match', 'route.routes[0].colour', 'inhibit[0]', 'silences[0].match', 'silences[0].from', 'silences[1]', 'rules[0].metric', 'rules[0].window']) {
    expect(act).toThrow(part);
  }
});
