import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {digestOf} from '../core/canonical-json.ts';
import {AssayError} from '../core/errors.ts';
import type {ExperimentDefinition} from '../core/experiment.ts';
import {parseDefinitionText, requireDefinition} from './definition.ts';
import {transitionProblem} from './lifecycle.ts';
import type {ExperimentRegistry} from './registry.ts';
import {historyOf, type StoredVersion} from './state.ts';

export const SEED_AUTHOR = 'seed';

/**
 * Every definition (`*.yaml`, `*.yml`, `*.json`) of a folder, in the order of their names.
 * @throws AssayError ASSAY_EXPERIMENT_INVALID listing the problems of all files.
 */
export function loadDefinitions(directory: string): {readonly file: string; readonly definition: ExperimentDefinition}[] {
  const files = readdirSync(directory).filter(file => /\.(ya?ml|json)$/.test(file)).sort();
  const errors: string[] = [];
  const loaded = files.flatMap(file => {
    try {
      return [{file, definition: requireDefinition(parseDefinitionText(readFileSync(join(directory, file), 'utf8')), file)}];
    } catch (error) {
      if (!(error instanceof AssayError)) throw error;
      errors.push(error.message);
      return [];
    }
  });
  if (errors.length > 0) throw new AssayError('ASSAY_EXPERIMENT_INVALID', errors.join('\n'));
  return loaded;
}

/**
 * Publishes the files of a folder that are new or were edited since they were
 * last seeded. A file that did not change stays quiet, so a restart never undoes
 * a guard's pause or an operator's change of weights. An experiment that somebody
 * else published under the same name is left alone.
 */
export async function seedExperiments(
  registry: ExperimentRegistry,
  {directory, stream}: {readonly directory: string; readonly stream: string},
): Promise<StoredVersion[]> {
  const published: StoredVersion[] = [];
  for (const {file, definition} of loadDefinitions(directory)) {
    const history = historyOf(registry.snapshot(), stream, definition.experiment);
    const seeded = history.findLast(({author}) => author === SEED_AUTHOR);
    const current = history.at(-1);
    // The reason carries the file's digest: the version itself may differ from the file in its lifecycle.
    const digest = digestOf(definition).slice(0, 12);
    const isNew = seeded === undefined ? current === undefined : !seeded.reason.endsWith(`(${digest})`);
    if (!isNew) continue;
    // The file may say `draft` of what was started since; where it cannot lead, the lifecycle stays.
    const keepsLifecycle = current !== undefined && transitionProblem(current.definition, definition) !== undefined;
    const next = keepsLifecycle ? {...definition, lifecycle: current.definition.lifecycle} : definition;
    const reason = `${current === undefined ? 'new' : 'changed'} file ${file} (${digest})`;
    published.push(await registry.publish({stream, definition: next, author: SEED_AUTHOR, reason}));
  }
  return published;
}
