import type {DeadLetterCode} from '../core/events.ts';

/** Why a record was refused; thrown inside this folder only, returned to everyone else. */
export class DecodeFault extends Error {
  readonly code: DeadLetterCode;

  constructor(code: DeadLetterCode, message: string) {
    super(message);
    this.code = code;
  }
}
