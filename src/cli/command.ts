import type {Config} from '../config/load.ts';
import type {Platform} from '../roles/platform.ts';

/**
 * A command of `assay`. It writes its answer to `out`, progress and notes to
 * `err`, and returns the exit code:
 *
 *     0 done   1 it failed   2 the input or the configuration is wrong   3 the check found something
 */
export type Command = {
  readonly name: string;
  /** What else people write. */
  readonly alias?: string;
  readonly summary: string;
  /** Positional arguments in commander's notation: `<one>`, `[many...]`. */
  readonly arguments?: string;
  readonly options?: readonly CommandOption[];
  /**
   * `nothing`: runs without log or warehouse. `platform`: needs both; goes through the owner of the
   * data directory when there is one. `owner`: must own the data directory itself.
   */
  readonly needs: 'nothing' | 'platform' | 'owner';
  /** Whether these arguments need nothing after all. */
  isOffline?(args: readonly string[]): boolean;
  /** With `needs: nothing`: takes the options of a platform too, for the commands it asks. */
  readonly asks?: boolean;
  run(invocation: Invocation): Promise<number>;
};

export type CommandOption = {
  /** commander's notation: `--map <file>`. */
  readonly flags: string;
  readonly describe: string;
  readonly isMany?: boolean;
};

export type Io = {
  out(text: string): void;
  err(text: string): void;
  readonly cwd: string;
  /** Aborts on Ctrl-C or when the caller went away. */
  readonly signal: AbortSignal;
  readonly isTerminal: boolean;
};

export type Invocation = {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly config: Config;
  readonly io: Io;
  /** Opened on first use; closed by the caller. */
  platform(): Promise<Platform>;
  /** Runs another command line with this one's configuration and returns what it wrote to `out`. */
  ask(argv: readonly string[]): Promise<string>;
  /** True when this process runs workers and jobs already (a forwarded command inside `up`). */
  readonly isInsideOwner: boolean;
};

export const EXIT = {done: 0, failed: 1, input: 2, found: 3} as const;

/** An option's text; undefined when it was not given. */
export function textOption(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = options[name];
  return value === undefined ? undefined : String(value);
}
