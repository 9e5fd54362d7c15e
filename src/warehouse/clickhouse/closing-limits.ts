/** Bounds of closing, with their reasons. */
export const CLOSING_LIMITS = {
  /** A range this short is closed in one query without asking how much it holds. */
  undividedMs: 2 * 3_600_000,
  /** Outcomes closed by one query: a backlog of an import must not outgrow a query's memory. */
  outcomesAtOnce: 500_000,
  /** Slices recomputed by one query of a revision; their starts are a parameter. */
  revisedSlicesAtOnce: 2_000,
  /** Dirty slices with more outcomes than this between them are recomputed apart: to read them costs what a request does. */
  revisionGapOutcomes: 100_000,
  /** Mismatches an audit spells out. */
  mismatchesSpelledOut: 100,
} as const;
