import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';

/** The least a map can say. */
export const LEAST_MAP = `
event_time: {column: at}
unit_id: {column: user}
experiment: ranking
variant: {column: arm}
measures: {score: {column: points}}
`;

const directory = mkdtempSync(join(tmpdir(), 'assay-import-'));
afterAll(() => rmSync(directory, {recursive: true, force: true}));

/** A file of this test file's own, removed afterwards. */
export function writeTemporary(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
