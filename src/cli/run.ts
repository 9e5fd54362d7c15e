import {resolve} from 'node:path';
import {Command as Commander, CommanderError} from 'commander';
import {type Config, loadConfig} from '../config/load.ts';
import {OPTIONS} from '../config/options.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import {DataOwner, forwardCommand, type OwnerInfo, OwnerGoneError, readOwner} from '../roles/data-owner.ts';
import {openPlatform, type Platform} from '../roles/platform.ts';
import {VERSION} from '../roles/version.ts';
import {type Command, EXIT, type Io, type Invocation} from './command.ts';
import {COMMANDS} from './commands.ts';

/** How long a command waits for a directory whose owner does not answer yet. */
const OWNER_WAIT_MS_MAX = 30_000;
const OWNER_POLL_MS = 100;

/** A process that owns its data directory runs forwarded commands with what it has open. */
export type Inside = {readonly platform: Platform; readonly config: Config; readonly runsWorkers: boolean};

/**
 * Parses and runs one command line.
 * @returns the exit code; every failure is one line on `err` that names the thing and the fix.
 */
export async function runCli(argv: readonly string[], io: Io, inside?: Inside): Promise<number> {
  let code: number = EXIT.done;
  const program = new Commander('assay')
    .description('Says within seconds, with evidence that can be checked, whether model B beats model A.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: text => io.out(text),
      writeErr: text => io.err(text),
      outputError: text => io.err(`assay: ${text.replace(/^error: /, '').trim().replaceAll(/\s*\n\s*/g, ' ')}; see assay --help, or --help after a command [ASSAY_USAGE]\n`),
    });
  for (const command of COMMANDS) {
    const sub = program.command(`${command.name}${command.arguments === undefined ? '' : ` ${command.arguments}`}`).description(command.summary);
    if (command.alias !== undefined) sub.alias(command.alias);
    for (const {flags, describe, isMany} of command.options ?? []) {
      if (isMany === true) sub.option(flags, describe, (value: string, all: string[]) => [...all, value], []);
      else sub.option(flags, describe);
    }
    addSharedOptions(sub, command);
    sub.action(async () => {
      code = await runCommand(command, {sub, argv, io, inside});
    });
  }
  try {
    await program.parseAsync([...argv], {from: 'user'});
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.input;
    return reportError(error, io);
  }
}

/** One line that names the thing and the fix; the exit code tells whose turn it is. */
export function reportError(error: unknown, io: Pick<Io, 'err'>): number {
  if (error instanceof AssayError) {
    io.err(`assay: ${messageOf(error)} [${error.code}]\n`);
    return error.kind === 'input' ? EXIT.input : EXIT.failed;
  }
  io.err(`assay: ${messageOf(error)}\n`);
  return EXIT.failed;
}

function addSharedOptions(sub: Commander, command: Command): void {
  sub.option('--json', 'machine-readable answer');
  sub.option('--config <file>', 'YAML config file');
  if (command.needs === 'nothing' && command.asks !== true) return;
  sub.option('--stream <name>', 'the stream to read or write');
  const own = (command.options ?? []).map(({flags}) => flags.split(' ')[0]);
  for (const {flag, kind, describe} of OPTIONS) {
    if (flag === undefined || own.includes(`--${flag}`)) continue;
    sub.option(kind === 'switch' ? `--${flag}` : `--${flag} <value>`, describe);
  }
}

type Run = {readonly sub: Commander; readonly argv: readonly string[]; readonly io: Io; readonly inside: Inside | undefined};

async function runCommand(command: Command, {sub, argv, io, inside}: Run): Promise<number> {
  const options = sub.opts<Record<string, unknown>>();
  const config = inside?.config ?? configOf(options, io);
  const ask = (question: readonly string[]): Promise<string> => askOther([...question, ...platformFlags(options)], {io, inside});
  const base = {args: sub.args, options, config, io, ask, isInsideOwner: inside?.runsWorkers ?? false};
  if (command.needs === 'nothing' || command.isOffline?.(sub.args) === true) {
    return command.run({...base, platform: () => Promise.reject(new Error(`assertion failed: ${command.name} needs no platform`))});
  }
  if (inside !== undefined) {
    if (command.needs === 'owner') throw owned(config, {pid: process.pid, role: 'this process'}, command.name);
    return command.run({...base, platform: () => Promise.resolve(inside.platform)});
  }
  if (!usesDataDirectory(config)) return withPlatform(command, base, undefined);
  return runAsOwnerOrForward(command, base, argv);
}

async function askOther(argv: readonly string[], {io, inside}: Pick<Run, 'io' | 'inside'>): Promise<string> {
  const answer: string[] = [];
  const told: string[] = [];
  const code = await runCli(argv, {...io, out: text => answer.push(text), err: text => void told.push(text)}, inside);
  if (code === EXIT.done) return answer.join('');
  const message = told.join('').trim().replace(/^assay: /, '').replace(/ \[ASSAY_\w+\]$/, '');
  throw new AssayError(code === EXIT.input ? 'ASSAY_NOT_FOUND' : 'ASSAY_LOG_UNAVAILABLE', message);
}

/** The options that say which platform is meant, as they were given. */
function platformFlags(options: Readonly<Record<string, unknown>>): string[] {
  const names = ['config', 'stream', ...OPTIONS.flatMap(({flag}) => flag ?? [])];
  return names.flatMap(name => {
    const value = options[camelCase(name)];
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, String(value)];
  });
}

const usesDataDirectory = (config: Config): boolean => config.text('log.kind') === 'embedded' || config.text('warehouse.kind') === 'embedded';

type Base = Omit<Invocation, 'platform'>;

async function runAsOwnerOrForward(command: Command, base: Base, argv: readonly string[]): Promise<number> {
  const directory = base.config.text('data');
  for (let waitedMs = 0; ; waitedMs += OWNER_POLL_MS) {
    const owner = await DataOwner.acquire(directory, command.name);
    if (owner !== undefined) return withPlatform(command, base, owner);
    const info = readOwner(directory);
    if (command.needs === 'owner' && (info !== undefined || waitedMs > 2_000)) throw owned(base.config, info, command.name);
    try {
      if (info !== undefined) return await forwardCommand(info, {argv, cwd: base.io.cwd}, base.io);
    } catch (error) {
      if (!(error instanceof OwnerGoneError)) throw error;
    }
    if (waitedMs >= OWNER_WAIT_MS_MAX) throw owned(base.config, info, command.name);
    await new Promise(done => setTimeout(done, OWNER_POLL_MS));
  }
}

function owned(config: Config, info: Pick<OwnerInfo, 'pid' | 'role'> | undefined, name: string): AssayError {
  const who = info === undefined ? 'another process' : `process ${info.pid} (assay ${info.role})`;
  return new AssayError(
    'ASSAY_DATA_DIR_OWNED',
    `the data directory ${config.text('data')} is owned by ${who}, and ${name} needs it alone; stop that process or give another directory with --data`,
  );
}

async function withPlatform(command: Command, base: Base, owner: DataOwner | undefined): Promise<number> {
  let opened: Promise<Platform> | undefined;
  const platform = (): Promise<Platform> => {
    opened ??= openPlatform(base.config, {role: command.name});
    return opened;
  };
  try {
    if (owner !== undefined) {
      // A platform that cannot be opened is this command's error, not its guests'.
      const ready = await platform();
      const runsWorkers = command.needs === 'owner';
      await owner.serve(({argv, cwd, out, err, signal}) =>
        runCli(argv, {out, err, cwd, signal, isTerminal: false}, {platform: ready, config: base.config, runsWorkers}),
      );
    }
    return await command.run({...base, platform});
  } finally {
    // Guests first: they still need the platform.
    await owner?.close();
    await (await opened?.catch(() => undefined))?.close();
  }
}

function configOf(options: Readonly<Record<string, unknown>>, io: Io): Config {
  const flags: Record<string, unknown> = {};
  for (const {flag, key} of OPTIONS) {
    if (flag !== undefined) flags[key] = options[camelCase(flag)];
  }
  const file = options['config'] === undefined ? undefined : resolve(io.cwd, String(options['config']));
  const config = loadConfig({flags, ...(file === undefined ? {} : {file})});
  return config.with({data: resolve(io.cwd, config.text('data'))});
}

const camelCase = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
