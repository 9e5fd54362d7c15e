import {readFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {resolve} from 'node:path';
import {stringify} from 'yaml';
import {parseWeights} from '../../assign/weights.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {ExperimentDefinition} from '../../core/experiment.ts';
import {LIVE_STREAM} from '../../core/streams.ts';
import {
  type ChangeOf, changeLifecycle, createExperiment, LIFECYCLE_STEPS, type LifecycleStep, requireCurrent, setWeights, updateExperiment,
} from '../../experiment/change-experiment.ts';
import {parseDefinitionText, requireDefinition} from '../../experiment/definition.ts';
import {toSdkExperiment} from '../../experiment/make-sdk-config.ts';
import {problemText} from '../../experiment/problems.ts';
import type {ExperimentRegistry} from '../../experiment/registry.ts';
import {currentVersions, historyOf, onlyStreamHolding, type StoredVersion} from '../../experiment/state.ts';
import {toDocument} from '../../experiment/to-document.ts';
import {validFromIn} from '../../roles/streams.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

type Act = (invocation: Invocation, registry: ExperimentRegistry, operands: readonly string[]) => Promise<number>;

export const experimentsCommand: Command = {
  name: 'experiments',
  alias: 'experiment',
  arguments: '[action] [operands...]',
  summary: '`list`, `show E`, `history E`, `validate FILE…`, `create FILE`, `update FILE`, `start|pause|resume|conclude|archive E`, `set-weights E a=50,b=50`',
  options: [
    {flags: '--author <name>', describe: 'who changes it (default: the user of this process)'},
    {flags: '--reason <text>', describe: 'why; every change needs it'},
    {flags: '--expected-version <n>', describe: 'the version you looked at; a newer one refuses the change'},
    {flags: '--at <version>', describe: 'with show: this version instead of the current one'},
  ],
  needs: 'platform',
  isOffline: args => args[0] === 'validate' || args[0] === 'check',
  run: async invocation => {
    const [action = 'list', ...operands] = invocation.args;
    if (action === 'validate' || action === 'check') return validate(invocation, operands);
    const act = ACTS[action];
    if (act === undefined) throw new AssayError('ASSAY_USAGE', `experiments knows ${[...Object.keys(ACTS), 'validate'].join(', ')}, not ${JSON.stringify(action)}`);
    const {registry} = await invocation.platform();
    await registry.caughtUp();
    return act(invocation, registry, operands);
  },
};

const ACTS: Readonly<Record<string, Act>> = {
  list,
  show,
  history,
  table,
  create: (invocation, registry, [file]) =>
    publishFile(invocation, file, async definition => {
      const stream = textOption(invocation.options, 'stream') ?? LIVE_STREAM;
      return createExperiment(registry, definition, await changeOf(invocation, {stream, experiment: definition.experiment}));
    }),
  update: (invocation, registry, [file]) =>
    publishFile(invocation, file, async definition => {
      const change = await changeOf(invocation, target(invocation, registry, definition.experiment));
      const {lifecycle} = requireCurrent(registry, change.stream, change.experiment).definition;
      if (lifecycle !== definition.lifecycle) invocation.io.err(`the lifecycle stays ${lifecycle}; it changes by ${LIFECYCLE_STEPS.join(', ')}\n`);
      return updateExperiment(registry, definition, change);
    }),
  'set-weights': async (invocation, registry, [experiment, weights]) => {
    const {version, movedShare} = await setWeights(registry, parseWeights(operand(weights, 'the weights, like a=50,b=50')), await changeOf(invocation, target(invocation, registry, experiment)));
    return tell(invocation, version, {moved_share: movedShare});
  },
  ...Object.fromEntries(LIFECYCLE_STEPS.map(step => [step, stepAct(step)])),
};

function stepAct(step: LifecycleStep): Act {
  return async (invocation, registry, [experiment]) => tell(invocation, await changeLifecycle(registry, step, await changeOf(invocation, target(invocation, registry, experiment))));
}

async function list({options, io}: Invocation, registry: ExperimentRegistry): Promise<number> {
  const versions = currentVersions(registry.snapshot(), textOption(options, 'stream'));
  const rows = versions.map(version => ({...rowOf(version), variants: weightsText(version.definition)}));
  rows.sort((a, b) => (`${a.stream}\0${a.experiment}` < `${b.stream}\0${b.experiment}` ? -1 : 1));
  io.out(options['json'] === true ? `${JSON.stringify(rows)}\n` : formatTable(rows));
  return EXIT.done;
}

async function show(invocation: Invocation, registry: ExperimentRegistry, [name]: readonly string[]): Promise<number> {
  const {options, io} = invocation;
  const {stream, experiment} = target(invocation, registry, name);
  const version = versionAsked(historyOf(registry.snapshot(), stream, experiment), options) ?? requireCurrent(registry, stream, experiment);
  const document = toDocument(version.definition);
  if (options['json'] === true) io.out(`${JSON.stringify({...rowOf(version), definition: document})}\n`);
  else io.out(`# version ${version.version}, phase ${version.phase}, from ${isoOf(version)} by ${version.author}: ${version.reason}\n${stringify(document, {lineWidth: 160})}`);
  return EXIT.done;
}

function versionAsked(history: readonly StoredVersion[], options: Invocation['options']): StoredVersion | undefined {
  const asked = textOption(options, 'at');
  if (asked === undefined || history.length === 0) return undefined;
  const found = history.find(({version}) => String(version) === asked);
  if (found === undefined) throw new AssayError('ASSAY_NOT_FOUND', `there is no version ${asked}; they are 1 to ${history.length}`);
  return found;
}

async function history(invocation: Invocation, registry: ExperimentRegistry, [name]: readonly string[]): Promise<number> {
  const {options, io} = invocation;
  const {stream, experiment} = target(invocation, registry, name);
  requireCurrent(registry, stream, experiment);
  const rows = historyOf(registry.snapshot(), stream, experiment).map(version => ({...rowOf(version), variants: weightsText(version.definition)}));
  io.out(options['json'] === true ? `${JSON.stringify(rows)}\n` : formatTable(rows.map(({stream: _, experiment: __, ...row}) => row)));
  return EXIT.done;
}

/** The stored slot table, for programs: what `/v1/config` has of the experiment. */
async function table(invocation: Invocation, registry: ExperimentRegistry, [name]: readonly string[]): Promise<number> {
  const {stream, experiment} = target(invocation, registry, name);
  const version = requireCurrent(registry, stream, experiment);
  if (version.slots.length === 0) throw new AssayError('ASSAY_NOT_FOUND', `${experiment} has no slot table: its weights are not known`);
  invocation.io.out(`${JSON.stringify({revision: `${experiment}@${version.version}`, experiments: [toSdkExperiment(version)]})}\n`);
  return EXIT.done;
}

async function validate({options, io}: Invocation, files: readonly string[]): Promise<number> {
  if (files.length === 0) throw new AssayError('ASSAY_USAGE', 'experiments validate needs the files to look at');
  const reports = files.map(file => {
    const parsed = parseDefinitionText(readText(file, io.cwd));
    return {file, valid: parsed.ok, problems: parsed.ok ? [] : parsed.problems};
  });
  if (options['json'] === true) io.out(`${JSON.stringify(reports)}\n`);
  else for (const {file, problems} of reports) io.out(problems.length === 0 ? `${file}: valid\n` : `${file}: ${problems.length} problem(s)\n${problems.map(problem => `  - ${problemText(problem)}\n`).join('')}`);
  return reports.every(({valid}) => valid) ? EXIT.done : EXIT.input;
}

async function publishFile(
  invocation: Invocation,
  file: string | undefined,
  publish: (definition: ExperimentDefinition) => Promise<StoredVersion>,
): Promise<number> {
  const path = operand(file, 'the definition file');
  const parsed = parseDefinitionText(readText(path, invocation.io.cwd));
  if (!parsed.ok) for (const problem of parsed.problems) invocation.io.err(`  - ${problemText(problem)}\n`);
  return tell(invocation, await publish(requireDefinition(parsed, path)));
}

function tell({options, io}: Invocation, version: StoredVersion, more: Readonly<Record<string, unknown>> = {}): number {
  const moved = more['moved_share'];
  const note = typeof moved === 'number' ? `; ${(moved * 100).toFixed(2)} % of the units moved` : '';
  if (options['json'] === true) io.out(`${JSON.stringify({...rowOf(version), weights: weightsOf(version.definition), ...more})}\n`);
  else io.out(`${version.experiment}: version ${version.version}, phase ${version.phase}, ${version.definition.lifecycle}, ${weightsText(version.definition)}${note}\n`);
  return EXIT.done;
}

const rowOf = (version: StoredVersion) => ({
  stream: version.stream,
  experiment: version.experiment,
  version: version.version,
  phase: version.phase,
  lifecycle: version.definition.lifecycle,
  valid_from: isoOf(version),
  author: version.author,
  reason: version.reason,
});

const isoOf = ({validFrom}: StoredVersion): string => (validFrom === 0 ? '-' : new Date(validFrom).toISOString());
const weightsOf = ({variants, hasWeights}: ExperimentDefinition): Record<string, number> =>
  hasWeights ? Object.fromEntries(variants.map(({key, weight}) => [key, weight])) : {};
const weightsText = ({variants, hasWeights}: ExperimentDefinition): string =>
  variants.map(({key, weight}) => (hasWeights ? `${key}=${weight}` : key)).join(',');

/** Services live in the live stream; an experiment that only another one holds is meant there. */
function target({options}: Invocation, registry: ExperimentRegistry, name: string | undefined): {stream: string; experiment: string} {
  const experiment = operand(name, 'the experiment');
  return {stream: textOption(options, 'stream') ?? onlyStreamHolding(registry.snapshot(), experiment) ?? LIVE_STREAM, experiment};
}

async function changeOf({options, platform}: Invocation, of: {readonly stream: string; readonly experiment: string}): Promise<ChangeOf> {
  const reason = textOption(options, 'reason')?.trim() ?? '';
  const expected = textOption(options, 'expected-version') ?? textOption(options, 'expectedVersion');
  const errors = reason === '' ? ['give --reason TEXT: every version says why it was made'] : [];
  if (expected !== undefined && !/^\d+$/.test(expected)) errors.push(`--expected-version ${expected} is not a whole number`);
  if (errors.length > 0) throw new AssayError('ASSAY_USAGE', errors.join('; '));
  const author = textOption(options, 'author') ?? userInfo().username;
  return {...of, author, reason, ...(await validFromIn(await platform(), of.stream)), ...(expected === undefined ? {} : {expectedVersion: Number(expected)})};
}

function operand(value: string | undefined, what: string): string {
  if (value !== undefined && value !== '') return value;
  throw new AssayError('ASSAY_USAGE', `name ${what}; see assay experiments --help`);
}

function readText(file: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, file), 'utf8');
  } catch (error) {
    throw new AssayError('ASSAY_INPUT_UNREADABLE', `${file} cannot be read (${messageOf(error)})`, {cause: error});
  }
}
