import {describe, expect, test} from 'vitest';
import {OpenPolicy} from '../../../src/web/sql/open-policy.ts';
import type {SqlExecutor} from '../../../src/warehouse/sql-executor.ts';

const asked = (sql: string, user: string) => ({sql, credentials: {user, password: ''}});
const refuse = {kind: 'refuse'} as const;
const hang = {kind: 'hang'} as const;

describe('planned faults', () => {
  const open = () => new OpenPolicy({} as SqlExecutor);

  test('meet so many statements that hold the text, and no others', () => {
    const policy = open();
    policy.plan({fault: refuse, count: 2, match: 'INSERT'});
    expect(['SELECT 1', 'INSERT 1', 'INSERT 2', 'INSERT 3'].map(sql => policy.nextFault(asked(sql, 'a')))).toEqual([null, refuse, refuse, null]);
  });

  test('of one user do not meet another, and are taken back alone', () => {
    const policy = open();
    policy.plan({fault: refuse, count: 10, user: 'a'});
    policy.plan({fault: hang, count: 10, user: 'b'});
    expect(['a', 'b', 'c'].map(user => policy.nextFault(asked('SELECT 1', user)))).toEqual([refuse, hang, null]);
    policy.clearFaults('a');
    expect(['a', 'b'].map(user => policy.nextFault(asked('SELECT 1', user)))).toEqual([null, hang]);
    policy.clearFaults();
    expect(policy.nextFault(asked('SELECT 1', 'b'))).toBeNull();
  });
});
