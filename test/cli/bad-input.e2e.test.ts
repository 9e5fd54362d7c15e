/** Whatever is wrong, one line on stderr names the thing and the fix; no stack, no JSON, an exit code that says whose turn it is. */
import {copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {runCli} from '../../src/cli/run.ts';
import {answerOf, cliSkipReason, ROOT, type Running, runAssay, startAssay, temporaryDirectory} from '../helpers/cli.ts';

const missing = await cliSkipReason();

const MAP = 'event_time: {column: at}\nunit_id: {column: user}\nexperiment: tone\nvariant: {column: arm}\nmeasures: {score: {column: points}}\n';
const ROWS = 'at,user,arm,points\n2026-01-05T09:00:00Z,u1,a,1\n2026-01-05T09:00:01Z,u2,b,2\n';

type Said = {readonly code: number | null; readonly stdout: string; readonly stderr: string};

/** Exactly one line, and nothing on stdout. */
function expectOneLine({code, stdout, stderr}: Said, wanted: {readonly code: number; readonly says: readonly RegExp[]}): void {
  const lines = stderr.trimEnd().split('\n');
  expect(lines, stderr).toHaveLength(1);
  expect(lines[0]).toMatch(/^assay: .* \[ASSAY_[A-Z_]+\]$/);
  expect(lines[0]).not.toMatch(/\bat .*\(.*:\d+:\d+\)|node:internal/);
  for (const pattern of wanted.says) expect(lines[0]).toMatch(pattern);
  expect([code, stdout]).toEqual([wanted.code, '']);
}

type Case = readonly [title: string, args: readonly string[], says: readonly RegExp[]];

describe.skipIf(missing !== null)(`bad input${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const directory = temporaryDirectory('bad-input');
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(directory, name), content);
    return name;
  };
  const run = (args: readonly string[]): Promise<Said> => runAssay(args, {cwd: directory});
  /** In this process: it is the same code, and many of these end before they open anything. */
  const runHere = async (args: readonly string[]): Promise<Said> => {
    const said = {stdout: '', stderr: ''};
    const code = await runCli(args, {
      out: text => {
        said.stdout += text;
      },
      err: text => {
        said.stderr += text;
      },
      cwd: directory,
      signal: new AbortController().signal,
      isTerminal: false,
    });
    return {code, ...said};
  };

  const csv = file('rows.csv', ROWS);
  const map = file('map.yaml', MAP);
  const imports = (...args: string[]): string[] => ['import', ...args, '--data', 'never-made'];
  const brokenSchemas = join(directory, 'schemas');
  mkdirSync(brokenSchemas);
  for (const name of readdirSync(join(ROOT, 'schemas')).filter(name => name.endsWith('.avsc'))) copyFileSync(join(ROOT, 'schemas', name), join(brokenSchemas, name));
  const outcome = readFileSync(join(ROOT, 'schemas/outcome.v1.avsc'), 'utf8');
  writeFileSync(join(brokenSchemas, 'outcome.v1.avsc'), outcome.replace('"unit_id"', '"subject_id"'));

  const OFFLINE: readonly Case[] = [
    ['no such command', ['analyzer'], [/unknown command 'analyzer'/, /--help/]],
    ['no such option', ['query', 'SELECT 1', '--fast'], [/unknown option '--fast'/]],
    ['a missing argument', ['query'], [/missing required argument 'sql'/]],
    ['a config key that does not exist', ['config', 'check', '--config', file('key.yaml', 'live: {partitons: 3}\n')], [/live\.partitons is not an option/, /assay config/]],
    ['config values of the wrong kind, all at once', ['config', 'check', '--config', file('value.yaml', 'live: {lateness_ms: soon}\nserver: {port: high}\n')], [/live\.lateness_ms .*duration.*got text "soon"/, /server\.port .*got text "high"/]],
    ['a config file that is no YAML', ['config', 'check', '--config', file('broken.yaml', 'live: {partitions: 3\n')], [/broken\.yaml.*line/]],
    ['a config file that is not there', ['config', 'check', '--config', 'absent.yaml'], [/absent\.yaml/, /--config/]],
    ['a flag of the wrong kind', ['up', '--port', 'high'], [/--port must be a .*number, got text "high"/]],
    ['an unknown action', ['config', 'show'], [/config knows check.*"show"/]],
    ['a folder of schemas that is not there', ['schema', 'check', 'absent'], [/no folder absent/]],
    ['a data directory that cannot be made', ['query', 'SELECT 1', '--data', '/proc/assay/data'], [/\/proc\/assay/, /--data/]],
    ['a file where the data directory should be', ['query', 'SELECT 1', '--data', csv], [/rows\.csv/, /--data/]],
    ['a file to import that is not there', imports('absent.csv', '--map', map), [/absent\.csv/, /existing/]],
    ['a map that is not there', imports(csv, '--map', 'absent.yaml'), [/absent\.yaml/, /existing YAML/]],
    ['no map', imports(csv), [/rows\.csv has no map/, /--map/]],
    ['a map with a column the file lacks', imports(csv, '--map', file('column.yaml', MAP.replace('points', 'pionts'))), [/no column pionts/, /at, user, arm, points/]],
    ['a map with an unknown key', imports(csv, '--map', file('mapkey.yaml', `${MAP}controll: a\n`)), [/controll is not a key/]],
    ['a map with a wrong value', imports(csv, '--map', file('mapvalue.yaml', `${MAP}design: both\n`)), [/design must be one of split, paired/]],
    ['gzip that is none', imports(file('no.csv.gz', 'hello'), '--map', map), [/no\.csv\.gz/, /gzip/]],
    ['gzip cut off', imports(file('cut.csv.gz', gzipSync(ROWS).subarray(0, 40)), '--map', map), [/cut\.csv\.gz/, /gzip/]],
    ['an empty file', imports(file('empty.csv', ''), '--map', map), [/empty\.csv is empty/]],
    ['a file with a header alone', imports(file('header.csv', 'at,user,arm,points\n'), '--map', map), [/no row that becomes an event/]],
    ['a row that is too short', imports(file('short.csv', 'at,user,arm,points\n2026-01-05T09:00:00Z,u1,a\n'), '--map', map), [/short\.csv/, /line 2/]],
    ['cells that cannot be read', imports(file('cells.csv', 'at,user,arm,points\nyesterday,u1,a,1\n2026-01-05T09:00:00Z,u2,a,many\n'), '--map', map), [/row 0: at "yesterday"/, /row 1: points "many"/, /nothing was imported/]],
    ['a speed that is none', imports(csv, '--map', map, '--speed', 'fast'), [/--speed must be a number above 0, got "fast"/]],
  ];

  for (const [title, args, says] of OFFLINE) test(title, async () => expectOneLine(await runHere(args), {code: 2, says}));

  const UNREACHABLE: readonly Case[] = [
    ['a broker', ['worker', '--log', 'kafka', '--brokers', '127.0.0.1:9', '--data', 'd-kafka'], [/Kafka at 127\.0\.0\.1:9/, /check that the broker runs/]],
    ['a ClickHouse', ['query', 'SELECT 1', '--warehouse', 'server', '--clickhouse-url', 'http://127.0.0.1:9', '--data', 'd-server'], [/ClickHouse at 127\.0\.0\.1:9/, /check that the server runs/]],
  ];
  for (const [title, args, says] of UNREACHABLE) test(`${title} that is not there`, async () => expectOneLine(await run(args), {code: 1, says}), 60_000);

  test('a schema that was released and has changed', async () => {
    const {code, stderr} = await runHere(['schema', 'check', 'schemas']);
    expect(code).toBe(2);
    for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^assay: outcome\.v1.* is not (backward|forward) compatible: .* \[ASSAY_SCHEMA_INCOMPATIBLE\]$/);
  });

  describe('on a data directory that `up` owns', () => {
    const data = ['--data', 'owned'];
    let up: Running;
    let url: string;
    beforeAll(async () => {
      await answerOf(['import', csv, '--map', map, ...data], {cwd: directory});
      up = startAssay(['up', '--port', '0', ...data], {cwd: directory});
      [, url = ''] = await up.waitFor(/serving on (\S+)/);
    }, 60_000);
    afterAll(() => up?.stop());

    const ONLINE: readonly Case[] = [
      ['a second up', ['up', '--port', '0'], [/owned by process \d+ \(assay up\)/, /--data/]],
      ['a demo', ['demo', '--exit'], [/owned by process \d+ \(assay up\)/]],
      ['SQL that is none', ['query', 'SELEC 1'], [/SELEC is not allowed/]],
      ['SQL with an unknown column', ['query', 'SELECT nothing FROM v_outcomes'], [/nothing/]],
      ['SQL that writes', ['query', 'INSERT INTO outcomes SELECT * FROM outcomes'], [/INSERT is not allowed/]],
      ['SQL that drops', ['query', 'DROP TABLE outcomes'], [/DROP is not allowed/]],
      ['SQL that writes a file', ['query', "SELECT 1 INTO OUTFILE '/tmp/x'"], [/OUTFILE/]],
      ['two statements', ['query', 'SELECT 1; SELECT 2'], [/one statement/]],
      ['a window that is no multiple of the slice', ['query', 'SELECT * FROM v_windows(size_s=7, slide_s=7)'], [/multiples of the base slice/]],
      ['an experiment that is not there', ['analyze', 'toon'], [/no experiment toon; it has tone/]],
      ['a stream that is not there', ['analyze', 'tone', '--stream', 'nowhere'], [/no stream nowhere/, /import/]],
      ['a verdict that is not there', ['replay', 'vd_nothing'], [/no verdict vd_nothing/]],
      ['a report before any verdict', ['report', 'tone'], [/no verdict of experiment tone/, /assay analyze/]],
    ];
    for (const [title, args, says] of ONLINE) test(title, async () => expectOneLine(await runHere([...args, ...data]), {code: 2, says}));

    test('a port that is taken', async () => {
      expectOneLine(await run(['server', '--data', 'another', '--port', new URL(url).port]), {code: 2, says: [/cannot listen on/, /--port/]});
    }, 60_000);

    test('events that are malformed or of no known kind are named one by one; the others count', async () => {
      const body = [{type: 'exposure', variant: 'a', unit_id: 'u'}, {type: 'click', unit_id: 'u'}, {type: 'outcome', unit_id: 'u', measures: {score: 'high'}}, {type: 'outcome', unit_id: 'u', measures: {score: 1}}];
      const response = await fetch(`${url}/v1/events`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)});
      const {accepted, errors} = (await response.json()) as {accepted: number; errors: {index: number; field: string; message: string}[]};
      expect([response.status, accepted]).toEqual([202, 1]);
      expect(errors.map(({index, field}) => [index, field])).toEqual([[0, 'experiment'], [1, 'type'], [2, 'measures.score']]);
      expect(errors[2]?.message).toMatch(/finite number, got string "high"/);
    });

    test('it still runs, and ends well', async () => {
      expect(await answerOf(['query', "SELECT count() AS n FROM v_outcomes_all WHERE stream = 'import'", ...data], {cwd: directory})).toEqual([{n: 2}]);
      expect(await up.stop()).toMatchObject({code: 0});
    }, 30_000);
  });

  test('a byte order mark, CRLF and line breaks inside quotes are no mistake', async () => {
    const odd = file('odd.csv', '\uFEFFat,user,arm,points\r\n2026-01-05T09:00:00Z,"two\r\nlines",a,1\r\n2026-01-05T09:00:01Z,"say ""b""",b,2\r\n');
    await answerOf(['import', odd, '--map', map, '--data', 'odd'], {cwd: directory});
    const rows = await answerOf(['query', 'SELECT unit_id, measures FROM v_outcomes ORDER BY event_ts', '--data', 'odd'], {cwd: directory});
    expect(rows).toEqual([{unit_id: 'two\r\nlines', measures: {score: 1}}, {unit_id: 'say "b"', measures: {score: 2}}]);
  }, 60_000);

  test('what `stat` cannot compute is an answer, with the kind of error', async () => {
    const cases = ['{"test":"paired-t","input":{"a":[1],"b":[2]}}', '{"test":"nope","input":{}}', 'no json', ''];
    const {code, stdout} = await runAssay(['stat'], {input: `${cases.join('\n')}\n`});
    const answers = stdout.trimEnd().split('\n').map(line => JSON.parse(line) as {error?: string; message?: string});
    expect([code, answers.length]).toEqual([0, 3]);
    for (const {error, message} of answers) {
      expect(error).toMatch(/^[a-z_]+$/);
      expect(message).toMatch(/\w/);
    }
  }, 30_000);
});
