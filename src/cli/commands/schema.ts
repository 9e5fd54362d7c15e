import {existsSync} from 'node:fs';
import {resolve} from 'node:path';
import {checkSchemas} from '../../avro/compatibility.ts';
import {readSchemas, type RecordSchema, SCHEMAS_DIRECTORY} from '../../avro/schema-files.ts';
import {AssayError} from '../../core/errors.ts';
import {type Command, EXIT, textOption} from '../command.ts';

export const schemaCommand: Command = {
  name: 'schema',
  arguments: '[action] [directory]',
  summary: '`schema check [DIRECTORY]`: do its schemas (default: this version’s) keep every released record readable, both ways?',
  options: [{flags: '--against <directory>', describe: 'the released schemas (default: this version’s)'}],
  needs: 'nothing',
  run: async ({args, io, options}) => {
    const [action = 'check', directory] = args;
    if (action !== 'check') throw new AssayError('ASSAY_USAGE', `schema knows check, not ${JSON.stringify(action)}`);
    const next = schemasIn(directory, io.cwd);
    const checks = checkSchemas(schemasIn(textOption(options, 'against'), io.cwd), next);
    const wrong = checks.filter(({compatible}) => !compatible);
    if (options['json'] === true) io.out(`${JSON.stringify({compatible: wrong.length === 0, schemas: next.map(({name}) => name), checks})}\n`);
    else io.out(`${next.length} schemas, ${checks.length} comparisons, ${wrong.length === 0 ? 'all compatible' : `${wrong.length} incompatible`}\n`);
    for (const {schema, direction, problem} of wrong) io.err(`assay: ${schema} is not ${direction} compatible: ${problem} [ASSAY_SCHEMA_INCOMPATIBLE]\n`);
    return wrong.length === 0 ? EXIT.done : EXIT.input;
  },
};

function schemasIn(directory: string | undefined, cwd: string): RecordSchema[] {
  if (directory === undefined) return readSchemas(SCHEMAS_DIRECTORY);
  const path = resolve(cwd, directory);
  if (!existsSync(path)) throw new AssayError('ASSAY_NOT_FOUND', `there is no folder ${directory}; give one with NAME.vN.avsc files`);
  return readSchemas(path);
}
