import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {advanceAlert, type AlertTransition, noticeId, noticesToRepeat} from '../../src/guard/alert-state.ts';
import type {Finding} from '../../src/guard/evaluate.ts';
import {runRules} from '../../src/guard/run-rules.ts';
import type {AlertRow, WindowRow} from '../../src/warehouse/warehouse.ts';
import {makeRule, makeWindow} from './fixtures.ts';

const T0 = 1_000_000;

function finding(state: Finding['state'], atSeconds: number, forMs = 0): Finding {
  const at = epochMs(T0 + atSeconds * 1_000);
  const bounds = {windowStart: epochMs(at - 60_000), windowEnd: at};
  return {rule: makeRule({forMs}), experiment: 'answers', variant: 'b', state, value: 0.4, threshold: 0.3, n: 80, ...bounds, at, reason: 'why'};
}

/** Feeds findings one after another; the states that were stored, with `!` where somebody is told. */
function run(findings: readonly Finding[]): {states: string[]; rows: AlertRow[]} {
  let last: AlertRow | null = null;
  const states: string[] = [];
  const rows: AlertRow[] = [];
  for (const one of findings) {
    const next: AlertTransition | null = advanceAlert('live', one, last);
    states.push(next === null ? '-' : `${next.row.state}${next.isNotable ? '!' : ''}`);
    if (next !== null) {
      last = next.row;
      rows.push(next.row);
    }
  }
  return {states, rows};
}

describe('pending → firing → resolved', () => {
  test.each([
    ['without for: it fires at once and stays', [finding('breach', 0), finding('breach', 10), finding('ok', 20)], ['firing!', '-', 'resolved!']],
    ['with for: it waits', [finding('breach', 0, 30_000), finding('breach', 29, 30_000), finding('breach', 30, 30_000)], ['pending', '-', 'firing!']],
    ['a short breach never fires and nobody is told', [finding('breach', 0, 30_000), finding('ok', 10, 30_000), finding('breach', 40, 30_000)], ['pending', 'resolved', 'pending']],
    ['inconclusive changes nothing', [finding('inconclusive', 0), finding('breach', 10), finding('inconclusive', 20), finding('ok', 30), finding('inconclusive', 40)], ['-', 'firing!', '-', 'resolved!', '-']],
    ['calm from the start is silence', [finding('ok', 0), finding('ok', 10)], ['-', '-']],
    ['the same or older data changes nothing', [finding('breach', 10), finding('ok', 10), finding('ok', 5)], ['firing!', '-', '-']],
  ] as const)('%s', (_title, findings, states) => {
    expect(run(findings).states).toEqual(states);
  });

  test('one episode has one id, the next one another; repeating a transition repeats its id', () => {
    const {rows} = run([finding('breach', 0, 10_000), finding('breach', 10, 10_000), finding('ok', 20), finding('breach', 30)]);
    const ids = rows.map(row => row.alert_id);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    expect(ids[3]).not.toBe(ids[0]);
    expect(advanceAlert('live', finding('breach', 0, 10_000), null)?.row.alert_id).toBe(ids[0]);
    expect(rows[2]).toMatchObject({state: 'resolved', context: {since: new Date(T0).toISOString(), fired: true}});
  });

  test('the row explains itself', () => {
    const [row] = run([finding('breach', 0)]).rows;
    expect(row).toMatchObject({
      stream: 'live', rule: 'errors', experiment: 'answers', variant: 'b', severity: 'warning', value: 0.4, threshold: 0.3, reason: 'why',
      changed_at: new Date(T0).toISOString(), window_end: new Date(T0).toISOString(),
      context: {n: 80, metric: 'error_rate', window_ms: 60_000, above: 0.3, action: 'alert', acted: true},
    });
  });

  test('an action other than alert is named, and not done here', () => {
    const one = finding('breach', 0);
    const {context} = advanceAlert('live', {...one, rule: {...one.rule, action: 'roll_back'}}, null)?.row ?? {};
    expect(context).toMatchObject({action: 'roll_back', acted: false});
  });

  test('after a restart what was notable is repeated under the same id', () => {
    const {rows} = run([finding('breach', 0, 10_000), finding('breach', 10, 10_000), finding('ok', 20)]);
    const [pending, firing, resolved] = rows as [AlertRow, AlertRow, AlertRow];
    const shortLived = run([finding('breach', 0, 10_000), finding('ok', 5)]).rows[1] as AlertRow;
    expect(noticesToRepeat([pending, shortLived])).toEqual([]);
    expect(noticesToRepeat([firing, resolved]).map(noticeId)).toEqual([`${firing.alert_id}:firing`, `${firing.alert_id}:resolved`]);
  });
});

describe('one round over the port', () => {
  class Store {
    readonly alerts: AlertRow[] = [];
    readonly asked: unknown[] = [];
    windowRows: WindowRow[] = [];
    async insertAlerts(rows: readonly AlertRow[]) {
      this.alerts.push(...rows);
    }
    async latestAlerts() {
      return this.alerts.slice(-1);
    }
    async latestVerdicts() {
      return [];
    }
    async windows(request: {experiment: string; sizeMs: number}) {
      this.asked.push([request.experiment, request.sizeMs]);
      return this.windowRows.filter(row => row.experiment === request.experiment);
    }
  }

  test('stores what changed before it is told, and nothing twice', async () => {
    const warehouse = new Store();
    warehouse.windowRows = [makeWindow({mean: 0.5})];
    const rules = [makeRule(), makeRule({name: 'same-window', above: 0.9}), makeRule({name: 'split', kind: 'srm', metric: '', above: null, below: 0.001})];
    const request = {warehouse, stream: 'live', slideMs: 10_000, experiments: ['answers'], rules, at: epochMs(T0)};
    const first = await runRules(request);
    expect(first).toMatchObject([{isNotable: true, row: {rule: 'errors', state: 'firing'}}]);
    expect(warehouse.alerts).toHaveLength(1);
    expect(warehouse.asked).toEqual([['answers', 60_000]]);
    expect(await runRules(request)).toEqual([]);
    warehouse.windowRows = [makeWindow({mean: 0.1, window_end: epochMs(T0 + 10_000)})];
    expect(await runRules({...request, at: epochMs(T0 + 10_000)})).toMatchObject([{isNotable: true, row: {state: 'resolved', alert_id: first[0]?.row.alert_id}}]);
    expect(await runRules({...request, at: epochMs(T0 + 10_000)})).toEqual([]);
    expect(warehouse.alerts).toHaveLength(2);
  });
});
