import {describe, expect, test} from 'vitest';
import {guardStatement} from '../../../src/warehouse/clickhouse/sql-guard.ts';

const asViewer = (sql: string) => guardStatement(sql, {access: 'views', allowsFormat: true});
const asOwner = (sql: string) => guardStatement(sql, {access: 'tables', allowsFormat: true});

const ATTACKS: readonly (readonly [string, RegExp])[] = [
  // Other statements.
  ['', /empty/],
  ['-- nothing', /empty/],
  ['INSERT INTO exposures SELECT * FROM exposures', /not allowed/],
  ['DROP TABLE exposures', /not allowed/],
  ['ALTER TABLE exposures DELETE WHERE 1', /not allowed/],
  ['TRUNCATE TABLE facts', /not allowed/],
  ['KILL QUERY WHERE 1', /not allowed/],
  ['SET readonly = 0', /not allowed/],
  ['SYSTEM SHUTDOWN', /not allowed/],
  ['CREATE TABLE x (a UInt8) ENGINE = Memory', /not allowed/],
  ['ATTACH TABLE x', /not allowed/],
  ['USE system', /not allowed/],
  ['GRANT ALL ON *.* TO x', /not allowed/],
  ['BACKUP TABLE x TO File(1)', /not allowed/],
  ['SHOW PROCESSLIST', /SHOW/],
  ['SHOW GRANTS', /SHOW/],
  ['SHOW ACCESS', /SHOW/],
  ['EXPLAIN INSERT INTO x SELECT 1', /EXPLAIN/],
  ['EXPLAIN ANALYZE DROP TABLE x', /EXPLAIN/],
  ['EXPLAIN TABLE OVERRIDE mysql() x', /EXPLAIN/],
  // More than one.
  ['SELECT 1; SELECT 2', /one statement/],
  ['SELECT 1; DROP TABLE exposures', /one statement/],
  ["SELECT '\\''; DROP TABLE exposures --'", /one statement/],
  ["SELECT ''';'; DROP TABLE x", /one statement/],
  ['SELECT 1 /* /* */ */ ; DROP TABLE x', /one statement/],
  ['SELECT $a$;$b$;$a$; DROP TABLE x', /one statement/],
  ['SELECT 1) INTO OUTFILE \'/tmp/x\' FORMAT CSV; SELECT * FROM (SELECT 1', /one statement/],
  ['SELECT 1) UNION ALL (SELECT 2', /parentheses/],
  ['SELECT \u0000 1', /NUL/],
  // Files.
  ["SELECT 1 INTO OUTFILE '/tmp/x'", /OUTFILE/],
  ["SELECT 1 into/**/outfile '/tmp/x' FORMAT CSV", /OUTFILE/],
  ["SELECT 1 INTO OUTFILE '/tmp/x' TRUNCATE FORMAT CSV SETTINGS format_csv_delimiter = ','", /OUTFILE/],
  ["EXPLAIN SELECT 1 INTO OUTFILE '/tmp/x'", /OUTFILE/],
  ["SELECT * FROM file('/etc/passwd', LineAsString)", /file/],
  ["SELECT file('/etc/passwd')", /file/],
  ["SELECT `file`('/etc/passwd')", /file/],
  ['SELECT "file" (\'/etc/passwd\')', /file/],
  ["SELECT * APPLY(file) FROM (SELECT '/etc/passwd')", /file/],
  ["SELECT * APPLY file FROM (SELECT '/etc/passwd')", /file/],
  ['SELECT * FROM "/etc/passwd"', /not allowed/],
  ["SELECT * FROM filesystem('/etc')", /filesystem/],
  ["DESCRIBE file('/etc/passwd')", /file/],
  // Other hosts and programs.
  ["SELECT * FROM url('http://169.254.169.254/', RawBLOB)", /url/],
  ["SELECT * FROM s3('http://x/y')", /s3/],
  ["SELECT * FROM remote('h', system.users)", /remote/],
  ["SELECT * FROM v_outcomes, remoteSecure('h', d.t)", /remoteSecure/],
  ["SELECT * FROM v_outcomes JOIN mysql('h','d','t','u','p') ON 1", /mysql/],
  ["SELECT * FROM executable('x.sh', TSV, 'a String')", /executable/],
  ["SELECT 1 IN url('http://h/', TSV, 'a UInt8')", /url/],
  ["SELECT hasColumnInTable('h', 'u', 'p', 'd', 't', 'c')", /hasColumnInTable/],
  // Other tables.
  ['SELECT * FROM system.processes', /system\.processes/],
  ['SELECT * FROM system . users', /system\.users/],
  ['SELECT * FROM `system`.`users`', /users/],
  ['SELECT * FROM SYSTEM.tables', /not allowed/],
  ['SELECT * FROM v_outcomes, system.users', /users/],
  ['SELECT * FROM v_outcomes AS where, system.users', /users/],
  ['SELECT * FROM v_outcomes AS limit JOIN v_pairs AS w ON w.x = limit - 1, system.users', /users/],
  ['SELECT * FROM v_outcomes limit ON 1, system.users', /users/],
  ['SELECT * FROM v_outcomes AS array JOIN system.users ON 1', /array/],
  ['SELECT * FROM v_outcomes window FINAL, system.users', /users/],
  ['SELECT * FROM (system.users)', /query is expected/],
  ['SELECT * FROM ((system.users))', /query is expected/],
  ['SELECT 1 IN system.users', /users/],
  ['SELECT 1 IN (system.users)', /users/],
  ['SELECT 1 IN ((system.users))', /users/],
  ['SELECT 1 IN (select, system.users)', /select/],
  ['SELECT 1 IN (with.a, system.users)', /with/],
  ['SELECT 1 IN (SELECT a FROM v_outcomes, system.users GROUP BY a, b)', /users/],
  ['SELECT 1 IN (SELECT 1 IN (v_pairs, system.users))', /users/],
  ['SELECT in(1, system.users)', /users/],
  ['SELECT globalNotIn(1, system.users)', /users/],
  ['SELECT (SELECT count() FROM system.users)', /users/],
  ['SELECT trim(SELECT name FROM system.users)', /users/],
  ['FROM system.users SELECT *', /not allowed/],
  ['WITH v_outcomes AS (SELECT 1) SELECT * FROM v_outcomes', /table's/],
  ['SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret), secret', /secret/],
  ['WITH x AS (SELECT * FROM system.users) SELECT * FROM x', /users/],
  ["SELECT * FROM merge('default', '.*')", /merge/],
  ['SELECT * FROM cluster(x, system.users)', /cluster/],
  ['SELECT * FROM view(SELECT * FROM system.users)', /view/],
  ["SELECT dictGet('d', 'x', 1)", /dictGet/],
  ["SELECT joinGet('t', 'x', 1)", /joinGet/],
  ['SHOW CREATE TABLE system.users', /users/],
  ['SHOW TABLES FROM system', /SHOW/],
  ['EXISTS TABLE system.users', /users/],
  // Settings and formats.
  ['SELECT 1 SETTINGS readonly = 0', /readonly/],
  ['SELECT 1 SETTINGS max_execution_time = 0', /max_execution_time/],
  ["SELECT 1 SETTINGS format_schema = '/etc/passwd'", /format_schema/],
  ["SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)", /SETTINGS/],
  ["SELECT 1 FORMAT Template", /Template/],
  ["SELECT 1 FORMAT Protobuf SETTINGS extremes = 1", /Protobuf/],
  // Time.
  ['SELECT sleep(3)', /sleep/],
  ['SELECT sleepEachRow(1) FROM numbers(100)', /sleep/],
  // Characters that this lexer and the engine may read differently.
  ['SELECT ‘a’', /unexpected character/],
  ["SELECT 'a", /not closed/],
  ['SELECT /* 1', /not closed/],
  ['SELECT $x$ 1', /does not end/],
];

const ORDINARY = [
  'SELECT 1',
  'select count() from v_outcomes where experiment = \'a;b -- /* "\' ;',
  'SELECT count() FROM v_outcomes WHERE unit_id IN (SELECT unit_id FROM v_exposures WHERE phase IN (1, 2) GROUP BY unit_id, variant ORDER BY unit_id, variant LIMIT 1 BY variant, phase)',
  'SELECT * FROM v_outcomes AS o JOIN v_pairs p USING (experiment) WHERE o.variant IN (\'a\', \'b\') ORDER BY 1 LIMIT 10',
  'WITH recent AS (SELECT * FROM v_outcomes), 5 AS n SELECT variant, count() FROM recent WHERE phase IN (SELECT phase FROM recent) GROUP BY variant, phase HAVING n > 1',
  'SELECT * FROM v_windows(size_s = 60, slide_s = 10) WHERE n > 0',
  'SELECT extract(YEAR FROM now()), trim(BOTH \' \' FROM \'x\')',
  'SELECT number FROM numbers(10), generateSeries(1, 3) AS s',
  'SELECT k, v FROM v_outcomes ARRAY JOIN mapKeys(measures) AS k, mapValues(measures) AS v',
  'SELECT row_number() OVER w FROM v_verdicts WINDOW w AS (PARTITION BY metric ORDER BY created_at)',
  'SELECT 1 FORMAT JSONCompact',
  'SELECT 1 SETTINGS join_use_nulls = 1 FORMAT CSV',
  "SELECT 1 FORMAT CSV SETTINGS format_csv_delimiter = ';'",
  'EXPLAIN PIPELINE graph = 1 SELECT * FROM v_outcomes',
  'DESCRIBE TABLE v_outcomes',
  'DESC v_outcomes',
  'SHOW TABLES LIKE \'v_%\'',
  'SHOW CREATE VIEW v_outcomes',
  'SHOW COLUMNS FROM v_outcomes',
  'SHOW DATABASES',
  'EXISTS v_outcomes',
  'SELECT name FROM system.tables WHERE database = currentDatabase()',
  '(SELECT 1) UNION ALL (SELECT 2)',
  'SELECT version(), timezone(), getSetting(\'log_comment\')',
  "SELECT urlHierarchy('http://x/a'), format('{}', 1), toDateTime64('2024-01-01 00:00:00', 3), 1e-3, 0x1F, x -> x + 1 FROM v_outcomes",
  'SELECT quantile(0.5)(latency_ms), t.1, a[1], measures[\'x\']::Float64 FROM v_outcomes',
];

describe('the guard of user statements', () => {
  test.each(ATTACKS)('refuses %s', (sql, reason) => {
    expect(() => asOwner(sql)).toThrow(expect.objectContaining({code: 'ASSAY_QUERY_REFUSED', message: expect.stringMatching(reason)}));
    expect(() => asViewer(sql)).toThrow(expect.objectContaining({code: 'ASSAY_QUERY_REFUSED'}));
  });

  test.each(ORDINARY)('lets through %s', sql => {
    expect(asViewer(sql).sql.length).toBeGreaterThan(0);
  });

  test('tables are for the owner, views for everyone', () => {
    expect(() => asViewer('SELECT * FROM exposures')).toThrow(/exposures/);
    expect(asOwner('SELECT * FROM exposures').sql).toBe('SELECT * FROM exposures');
    expect(asOwner('SELECT * FROM default.exposures').sql).toBe('SELECT * FROM default.exposures');
    expect(() => asOwner('SELECT * FROM other.exposures')).toThrow(/other/);
  });

  test('takes comments, the semicolon, FORMAT and SETTINGS off', () => {
    expect(asViewer("SELECT 1 -- x\n, '--' /* a /* b */ */ FORMAT TSV SETTINGS extremes = 1;")).toEqual({
      sql: "SELECT 1\n, '--'",
      format: 'TSV',
      settings: {extremes: 1},
    });
  });

  test('a FORMAT of the user is refused where the command chooses it', () => {
    expect(() => guardStatement('SELECT 1 FORMAT CSV', {access: 'views', allowsFormat: false})).toThrow(/FORMAT/);
  });
});

test.each([
  ['SELECT n FROM v_windows(60, 10)', 'SELECT n FROM v_windows(size_s = 60, slide_s = 10)'],
  ['SELECT n FROM v_windows_all ( 60,10 ) WHERE n IN (60, 10)', 'SELECT n FROM v_windows_all ( size_s = 60,slide_s = 10 ) WHERE n IN (60, 10)'],
  ['SELECT n FROM v_windows(size_s = 60, slide_s = 10)', 'SELECT n FROM v_windows(size_s = 60, slide_s = 10)'],
  ["SELECT 'v_windows(60, 10)', pow(60, 10)", "SELECT 'v_windows(60, 10)', pow(60, 10)"],
])('size and slide of windows may come by position: %s', (written, wanted) => {
  expect(asViewer(written).sql).toBe(wanted);
});
