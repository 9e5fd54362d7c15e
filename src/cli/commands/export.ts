import {existsSync, statSync} from 'node:fs';
import {dirname, resolve} from 'node:path';
import type {Config} from '../../config/load.ts';
import {AssayError} from '../../core/errors.ts';
import type {ExportTarget} from '../../warehouse/warehouse.ts';
import {type Command, EXIT, textOption} from '../command.ts';

/** `v_outcomes`, `v_windows(size_s = 60, slide_s = 10)`, `v_outcomes_at(stream = 'live', cut_ms = 1)`. */
const VIEW = /^v_[a-z0-9_]+\s*(\((?:[\w\s=,]|'[\w.:-]*')*\))?$/;
const S3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(\S+)$/;
/** Without their values they are no table. */
const PARAMETERISED: Readonly<Record<string, string>> = {
  v_windows: 'size_s=60, slide_s=10',
  v_windows_all: 'size_s=60, slide_s=10',
  v_windows_by_dimension: 'size_s=60, slide_s=10',
  v_windows_by_dimension_all: 'size_s=60, slide_s=10',
  v_outcomes_at: "stream='live', cut_ms=1767605360640",
};

export const exportCommand: Command = {
  name: 'export',
  arguments: '<view>',
  summary: 'write a view as Parquet, to a file or to an object store that speaks S3',
  options: [
    {flags: '--to <target>', describe: 'FILE.parquet or s3://BUCKET/KEY.parquet (options export.s3_…)'},
    {flags: '--out <target>', describe: 'the same as --to'},
    {flags: '--where <sql>', describe: 'only the rows for which this holds'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, config, io} = invocation;
    const view = (args[0] ?? '').trim();
    if (!VIEW.test(view)) {
      throw new AssayError('ASSAY_USAGE', `export writes a view such as v_outcomes or "v_windows(size_s=60, slide_s=10)", not ${JSON.stringify(view)}; docs/SCHEMA.md lists them`);
    }
    const parameters = Object.hasOwn(PARAMETERISED, view) ? PARAMETERISED[view] : undefined;
    if (parameters !== undefined) throw new AssayError('ASSAY_USAGE', `${view} takes parameters, as in "${view}(${parameters})"`);
    const to = textOption(options, 'to') ?? textOption(options, 'out');
    if (to === undefined) throw new AssayError('ASSAY_USAGE', 'say where to with --to FILE.parquet or --to s3://BUCKET/KEY.parquet');
    const target = exportTarget(to, config, io.cwd);
    const where = textOption(options, 'where');
    const stream = textOption(options, 'stream');
    const {warehouse} = await invocation.platform();
    const sql = `SELECT * FROM ${view}${where === undefined ? '' : ` WHERE (${where})`}`;
    const {rows} = await warehouse.exportRows({sql, target, ...(stream === undefined ? {} : {stream})});
    const bytes = target.kind === 'file' ? statSync(target.path).size : null;
    io.out(options['json'] === true ? `${JSON.stringify({view, to, rows, bytes})}\n` : `${rows ?? 'all'} rows of ${view} are in ${to}\n`);
    return EXIT.done;
  },
};

/** @throws AssayError ASSAY_USAGE naming what is wrong with the target. */
export function exportTarget(to: string, config: Config, cwd: string): ExportTarget {
  if (!/\.parquet$/.test(to)) throw new AssayError('ASSAY_USAGE', `--to must end in .parquet, got ${JSON.stringify(to)}`);
  if (!to.includes('://')) {
    const path = resolve(cwd, to);
    if (!existsSync(dirname(path))) throw new AssayError('ASSAY_NOT_FOUND', `there is no folder ${dirname(path)} for --to; make it first`);
    return {kind: 'file', path};
  }
  const [, bucket, key] = S3.exec(to) ?? [];
  if (bucket === undefined || key === undefined) throw new AssayError('ASSAY_USAGE', `--to must be a file or s3://BUCKET/KEY.parquet, a bucket's name of 3 to 63 small letters, digits, dots and dashes; got ${JSON.stringify(to)}`);
  const endpoint = config.text('export.s3_endpoint').replace(/\/+$/, '');
  if (endpoint !== '' && !/^https?:\/\/[^\s/]+$/.test(endpoint)) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `export.s3_endpoint must be an address such as https://minio.example:9000, got ${JSON.stringify(endpoint)}`);
  }
  // Path style at an endpoint of one's own, host style at AWS.
  const url = endpoint === '' ? `https://${bucket}.s3.${config.text('export.s3_region')}.amazonaws.com/${key}` : `${endpoint}/${bucket}/${key}`;
  return {kind: 's3', url, accessKey: config.text('export.s3_access_key'), secretKey: config.text('export.s3_secret_key')};
}
