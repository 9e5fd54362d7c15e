import {AssayError} from '../../core/errors.ts';

/** The store is not what was acknowledged. Names the file and the place; nothing is repaired by guessing. */
export const corrupt = (path: string, position: number, what: string): AssayError =>
  new AssayError(
    'ASSAY_LOG_CORRUPT',
    `${path} at byte ${position}: ${what}. Restore the data directory from a backup, or move it away to start anew`,
  );
