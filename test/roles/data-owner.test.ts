import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterAll, describe, expect, test} from 'vitest';
import {type CommandRunner, DataOwner, forwardCommand, OwnerGoneError, readOwner} from '../../src/roles/data-owner.ts';

const root = mkdtempSync(join(tmpdir(), 'assay-owner-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));
let count = 0;
const newDirectory = (): string => join(root, `d${count++}`);

function recorder() {
  const lines: string[] = [];
  return {lines, io: {out: (text: string) => void lines.push(`out ${text}`), err: (text: string) => void lines.push(`err ${text}`), signal: new AbortController().signal}};
}

const echo: CommandRunner = ({argv, cwd, out, err}) => {
  out(`${argv.join(' ')} in ${cwd}\n`);
  err('a note\n');
  return Promise.resolve(3);
};

async function own(directory: string): Promise<DataOwner> {
  const owner = await DataOwner.acquire(directory, 'up');
  if (owner === undefined) throw new Error('the directory is taken');
  return owner;
}

/** A promise with its key outside. */
function latch() {
  let resolve = (): void => undefined;
  const promise = new Promise<void>(done => {
    resolve = done;
  });
  return {promise, resolve: () => resolve()};
}

function infoOf(directory: string) {
  const info = readOwner(directory);
  if (info === undefined) throw new Error('there is no owner.json');
  return info;
}

describe('a data directory', () => {
  test('has one owner: a second one is turned away, also by another spelling of the path', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    symlinkSync(directory, `${directory}-link`);
    expect(await DataOwner.acquire(directory, 'up')).toBeUndefined();
    expect(await DataOwner.acquire(`${directory}/../${directory.split('/').at(-1)}/`, 'up')).toBeUndefined();
    expect(await DataOwner.acquire(`${directory}-link`, 'up')).toBeUndefined();
    await owner.close();
    await (await own(directory)).close();
  });

  test('commands are forwarded to the owner: arguments and folder there, output and exit code back', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    await owner.serve(echo);
    const {lines, io} = recorder();
    expect(await forwardCommand(infoOf(directory), {argv: ['query', 'SELECT 1'], cwd: '/tmp'}, io)).toBe(3);
    expect(lines).toEqual(['out query SELECT 1 in /tmp\n', 'err a note\n']);
    expect(infoOf(directory)).toMatchObject({pid: process.pid, role: 'up'});
    await owner.close();
  });

  test('only who can read owner.json may send commands', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    await owner.serve(echo);
    const info = infoOf(directory);
    expect(statSync(join(directory, 'owner.json')).mode & 0o077).toBe(0);
    const post = (authorization: string) => fetch(`http://127.0.0.1:${info.port}/command`, {method: 'POST', headers: {authorization}, body: '{}'});
    expect((await post('Bearer guess')).status).toBe(401);
    expect((await post('')).status).toBe(401);
    await expect(forwardCommand({...info, token: 'guess'}, {argv: [], cwd: '/'}, recorder().io)).rejects.toBeInstanceOf(OwnerGoneError);
    await owner.close();
  });

  test('a command that throws ends with its message and exit code 1, the owner lives on', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    await owner.serve(({argv}) => (argv[0] === 'bad' ? Promise.reject(new Error('it broke')) : Promise.resolve(0)));
    const {lines, io} = recorder();
    expect(await forwardCommand(infoOf(directory), {argv: ['bad'], cwd: '/'}, io)).toBe(1);
    expect(lines).toEqual(['err it broke\n']);
    expect(await forwardCommand(infoOf(directory), {argv: ['good'], cwd: '/'}, io)).toBe(0);
    await owner.close();
  });

  test('the owner leaves only when the commands it runs are done; afterwards its port is closed and its note gone', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    let finish = (): void => undefined;
    const started = new Promise<void>(resolve => {
      void owner.serve(() => {
        resolve();
        return new Promise(done => {
          finish = () => done(0);
        });
      });
    });
    while (!existsSync(join(directory, 'owner.json'))) await new Promise(done => setTimeout(done, 5));
    const info = infoOf(directory);
    const command = forwardCommand(info, {argv: [], cwd: '/'}, recorder().io);
    await started;
    const closed = owner.close();
    finish();
    expect(await command).toBe(0);
    await closed;
    expect(readOwner(directory)).toBeUndefined();
    await expect(forwardCommand(info, {argv: [], cwd: '/'}, recorder().io)).rejects.toBeInstanceOf(OwnerGoneError);
  });

  test('a command that is silent for long keeps its line open: fetch would hang up after five minutes', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    await owner.serve(() => new Promise(done => setTimeout(() => done(0), 200)), 10);
    const {port, token} = infoOf(directory);
    const response = await fetch(`http://127.0.0.1:${port}/command`, {method: 'POST', headers: {authorization: `Bearer ${token}`}, body: '{"argv": [], "cwd": "/"}'});
    const frames = (await response.text()).trim().split('\n');
    expect(frames.length).toBeGreaterThan(3);
    expect([frames[0], frames.at(-1)]).toEqual(['{}', '{"exit":0}']);
    await owner.close();
  });

  test('who stops waiting is told so, and the command hears of it', async () => {
    const directory = newDirectory();
    const owner = await own(directory);
    const [heard, begun] = [latch(), latch()];
    await owner.serve(({signal, out}) => {
      out('begun');
      signal.addEventListener('abort', () => heard.resolve());
      return heard.promise.then(() => 1);
    });
    const stop = new AbortController();
    const io = {out: () => begun.resolve(), err: () => undefined, signal: stop.signal};
    const failed = expect(forwardCommand(infoOf(directory), {argv: [], cwd: '/'}, io)).rejects.toThrow('stopped before the command was done');
    await begun.promise;
    stop.abort();
    await failed;
    await heard.promise;
    await owner.close();
  });

  test('a file in its place is refused in one line that names it and the fix', async () => {
    const file = newDirectory();
    writeFileSync(file, 'not a directory');
    const refused = DataOwner.acquire(file, 'up');
    await expect(refused).rejects.toMatchObject({code: 'ASSAY_DATA_DIR_INVALID'});
    await expect(refused).rejects.toThrow(`the data directory ${file} cannot be used`);
    await expect(refused).rejects.toThrow('--data');
    await expect(DataOwner.acquire(join(file, 'below'), 'up')).rejects.toMatchObject({code: 'ASSAY_DATA_DIR_INVALID'});
  });
});

const BUILT = fileURLToPath(new URL('../../dist/roles/data-owner.js', import.meta.url));
const absence = existsSync(BUILT) ? '' : ' (skipped: dist/ is not built, npm run build)';

/** Owns the directory in a process of its own, serving a command that never ends. */
async function ownElsewhere(directory: string): Promise<ChildProcess> {
  const script = `
    import {DataOwner} from ${JSON.stringify(BUILT)};
    const owner = await DataOwner.acquire(${JSON.stringify(directory)}, 'up');
    await owner.serve(({out}) => { out('begun'); return new Promise(() => setInterval(() => undefined, 1000)); });
    process.stdout.write('owned');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {stdio: ['ignore', 'pipe', 'inherit']});
  if (child.stdout === null) throw new Error('no stdout');
  await once(child.stdout, 'data');
  return child;
}

describe.skipIf(absence !== '')(`an owner killed with kill -9${absence}`, () => {
  test('frees the directory at once, though its note still lies there', async () => {
    const directory = newDirectory();
    const child = await ownElsewhere(directory);
    expect(await DataOwner.acquire(directory, 'up')).toBeUndefined();
    expect(infoOf(directory).pid).toBe(child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const owner = await DataOwner.acquire(directory, 'up');
    expect(owner?.directory).toBe(realpathSync(directory));
    expect(infoOf(directory).pid).toBe(child.pid);
    await expect(forwardCommand(infoOf(directory), {argv: [], cwd: '/'}, recorder().io)).rejects.toBeInstanceOf(OwnerGoneError);
    await owner?.close();
  });

  test('ends a command that it was running with an error that names it, never with silence', async () => {
    const directory = newDirectory();
    const child = await ownElsewhere(directory);
    const {lines, io} = recorder();
    const command = forwardCommand(infoOf(directory), {argv: ['import'], cwd: '/'}, io);
    const failed = expect(command).rejects.toMatchObject({code: 'ASSAY_DATA_DIR_OWNED'});
    while (lines.length === 0) await new Promise(done => setTimeout(done, 5));
    child.kill('SIGKILL');
    await failed;
    await expect(command).rejects.toThrow(String(child.pid));
  });
});
