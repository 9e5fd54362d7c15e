/**
 * Real data of `<repo>/../shared/data` (see its README; never copied into this
 * repository). Where it is absent the tests that read it are skipped and say so.
 */
import {existsSync, readFileSync} from 'node:fs';
import {resolve} from 'node:path';

const DATA = resolve(import.meta.dirname, '../../../shared/data');

export type DataSet = {
  readonly isHere: boolean;
  /** For the title of what is skipped: says what is missing, empty when nothing is. */
  readonly absence: string;
  path(file: string): string;
  json(file: string): unknown;
  /** A CSV file without quoting as one object per line. */
  csv(file: string): Record<string, string>[];
};

export function dataSet(name: string): DataSet {
  const directory = resolve(DATA, name);
  const isHere = existsSync(directory);
  const read = (file: string): string => readFileSync(resolve(directory, file), 'utf8');
  return {
    isHere,
    absence: isHere ? '' : ` (skipped: ${directory} is absent)`,
    path: file => resolve(directory, file),
    json: file => JSON.parse(read(file)) as unknown,
    csv: file => {
      const [header = '', ...lines] = read(file).split(/\r?\n/).filter(line => line !== '');
      const columns = header.split(',');
      return lines.map(line => {
        const cells = line.split(',');
        return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
      });
    },
  };
}
