import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {parse} from 'csv-parse/sync';
import {AssayError, messageOf} from '../core/errors.ts';

export type Row = Readonly<Record<string, string>>;
export type RowFile = {
  readonly name: string;
  /** sha256 of the unzipped bytes: the file's identity, whatever it is called. */
  readonly digest: Buffer;
  readonly rows: readonly Row[];
};

/** What an unzipped file may hold; larger ones are split by time and imported one after another. */
const FILE_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Reads a CSV or NDJSON file, gzip by its content or extension.
 * @throws AssayError ASSAY_INPUT_UNREADABLE naming the file, the line and the fix.
 */
export function readRows(file: string, format: 'csv' | 'ndjson'): RowFile {
  const bytes = readBytes(file);
  const digest = createHash('sha256').update(bytes).digest();
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '') throw unreadable(file, 'is empty; give a file with rows');
  return {name: file, digest, rows: format === 'csv' ? readCsv(text, file) : readNdjson(text, file)};
}

function readBytes(file: string): Buffer {
  try {
    const raw = readFileSync(file);
    const isGzip = file.endsWith('.gz') || (raw[0] === 0x1f && raw[1] === 0x8b);
    return isGzip ? gunzipSync(raw, {maxOutputLength: FILE_BYTES_MAX}) : raw;
  } catch (error) {
    throw unreadable(file, `cannot be read (${messageOf(error)}); ${adviceFor((error as NodeJS.ErrnoException).code ?? '')}`, error);
  }
}

function adviceFor(code: string): string {
  if (code.startsWith('Z_')) return 'it is no whole gzip file: unzip it to see, or name plain text without .gz';
  if (code === 'ERR_BUFFER_TOO_LARGE' || code === 'ERR_FS_FILE_TOO_LARGE') return 'give files of at most 1 GiB unzipped';
  return 'give an existing CSV or NDJSON file';
}

function readCsv(text: string, file: string): Row[] {
  try {
    return parse(text, {columns: true, skip_empty_lines: true, relax_column_count: false, bom: true}) as Row[];
  } catch (error) {
    throw unreadable(file, `is not CSV with one header line (${messageOf(error)})`, error);
  }
}

function readNdjson(text: string, file: string): Row[] {
  const rows: Row[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw unreadable(file, `line ${index + 1} is not JSON (${messageOf(error)})`, error);
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw unreadable(file, `line ${index + 1} must be a JSON object`);
    }
    rows.push(flatten(value as Record<string, unknown>, ''));
  }
  return rows;
}

/** Nested members become `outer.inner`; null is an empty cell. */
function flatten(value: Record<string, unknown>, prefix: string): Row {
  const row: Record<string, string> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== null && typeof member === 'object' && !Array.isArray(member)) {
      Object.assign(row, flatten(member as Record<string, unknown>, `${prefix}${key}.`));
    } else {
      row[prefix + key] = member === null ? '' : typeof member === 'string' ? member : JSON.stringify(member);
    }
  }
  return row;
}

function unreadable(file: string, problem: string, cause?: unknown): AssayError {
  return new AssayError('ASSAY_INPUT_UNREADABLE', `${file} ${problem}`, {cause});
}
