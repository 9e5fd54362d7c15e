import type {Verdict} from '../../core/verdict.ts';
import type {VerdictStore} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import type {RowEncoder} from './fact-rows.ts';
import {insertRows} from './row-insert.ts';
import {msOfIso} from './time-text.ts';

/** Verdicts are kept whole as JSON; the columns beside it are what one searches by. */
const VERDICT_ROWS: RowEncoder<Verdict> = {
  table: 'verdicts',
  columns: [
    'verdict_id', 'created_at', 'stream', 'experiment', 'metric', 'variant', 'control', 'phase', 'decision', 'evidence_digest', 'row',
  ],
  write: (writer, verdict) => {
    writer.string(verdict.verdict_id);
    writer.dateTime64(msOfIso(verdict.created_at));
    writer.string(verdict.stream);
    writer.string(verdict.experiment);
    writer.string(verdict.metric);
    writer.string(verdict.variant);
    writer.string(verdict.control);
    writer.uint32(verdict.phase);
    writer.string(verdict.decision);
    writer.string(verdict.evidence_digest);
    writer.string(JSON.stringify(verdict));
  },
};

export class ClickHouseVerdictStore implements VerdictStore {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  insertVerdicts(verdicts: readonly Verdict[]): Promise<void> {
    return insertRows(this.#connection, VERDICT_ROWS, {rows: verdicts, stream: ''});
  }

  async verdict(verdictId: string): Promise<Verdict | null> {
    const rows = await this.#connection.select<VerdictRow>(
      'SELECT row FROM verdicts WHERE verdict_id = {verdict_id:String} LIMIT 1',
      {verdict_id: verdictId},
    );
    return rows[0] === undefined ? null : toVerdict(rows[0]);
  }

  async latestVerdicts(stream: string, experiment: string | null): Promise<Verdict[]> {
    const rows = await this.#connection.select<VerdictRow>(LATEST, {stream, experiment});
    return rows.map(toVerdict);
  }
}

const LATEST = `
  SELECT row FROM (
    SELECT row, experiment, metric, variant FROM verdicts
    WHERE stream = {stream:String} AND ({experiment:Nullable(String)} IS NULL OR experiment = {experiment:Nullable(String)})
    ORDER BY created_at DESC, verdict_id DESC
    LIMIT 1 BY experiment, metric, variant
  ) ORDER BY experiment, metric, variant`;

type VerdictRow = {readonly row: string};

/** Only `insertVerdicts` writes the column. */
const toVerdict = ({row}: VerdictRow): Verdict => JSON.parse(row) as Verdict;
