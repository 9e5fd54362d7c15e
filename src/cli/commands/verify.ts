import type {AuditReport} from '../../closing/audit.ts';
import {auditStream} from '../../roles/analysis.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, textOption} from '../command.ts';

const NEWEST_SLICES = 1_000;

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'balance the ledger and recompute stored slices; exit 3 when something does not agree',
  options: [{flags: '--deep', describe: 'recompute every stored slice, not only the newest'}],
  needs: 'platform',
  run: async invocation => {
    const {options, io} = invocation;
    const platform = await invocation.platform();
    const stream = await defaultStream(platform, textOption(options, 'stream'));
    const report = await auditStream(platform, stream, options['deep'] === true ? null : NEWEST_SLICES);
    for (const detail of report.details) io.err(`${detail}\n`);
    io.out(options['json'] === true ? `${JSON.stringify(verifyLine(report))}\n` : `${verifyText(report)}\n`);
    return report.mismatch === 0 && report.slices_checked > 0 ? EXIT.done : EXIT.found;
  },
};

/** The machine-readable line of an audit. */
export function verifyLine(report: AuditReport) {
  const sum = (pick: (books: AuditReport['partitions'][number]) => number): number => report.partitions.reduce((total, books) => total + pick(books), 0);
  return {
    mismatch: report.mismatch,
    partitions: report.partitions.length,
    facts: report.facts,
    slices_checked: report.slices_checked,
    stream: report.stream,
    gaps: report.gaps,
    ledger: ledgerOf(report),
    conflict: sum(books => books.conflict),
    forgotten: sum(books => books.forgotten),
    ticks: sum(books => books.ticks),
    outcomes: {
      attributed: sum(books => books.outcomesAttributed),
      crossover: sum(books => books.outcomesCrossover),
      unattributed: sum(books => books.outcomesUnattributed),
    },
  };
}

export function ledgerOf({partitions}: AuditReport) {
  const books = {appended: 0, accepted: 0, duplicate: 0, dead_lettered: 0};
  for (const partition of partitions) {
    books.appended += partition.appended;
    books.accepted += partition.accepted;
    books.duplicate += partition.duplicate;
    books.dead_lettered += partition.deadLettered;
  }
  return books;
}

function verifyText(report: AuditReport): string {
  const {appended, accepted, duplicate, dead_lettered} = ledgerOf(report);
  const checked = report.slices_checked === 0 ? 'NO slice was checked, which proves nothing' : `${report.slices_checked} slices checked`;
  return `stream ${report.stream}: mismatch ${report.mismatch}, ${checked}; ${appended} appended = ${accepted} accepted + ${duplicate} duplicate + ${dead_lettered} dead-lettered in ${report.partitions.length} partitions`;
}
