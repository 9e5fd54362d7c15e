/**
 * What every test returns: a result, or the reason why there is none. There is
 * no p = 1 that means "could not compute".
 */
export type Reason =
  | 'non_finite'
  | 'length_mismatch'
  | 'insufficient_data'
  | 'zero_variance'
  | 'all_zero'
  | 'zero_denominator'
  | 'invalid_argument';

export interface NotComputable {
  readonly status: 'not-computable';
  readonly reason: Reason;
  /** Names the field, what it is, and the fix. */
  readonly message: string;
}

export type Outcome<T> = ({readonly status: 'ok'} & T) | NotComputable;

/** Thrown inside this folder only; {@link attempt} turns it into a value. */
class Refusal extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Ends the running computation with a reason. Only inside {@link attempt}. */
export function refuse(reason: Reason, message: string): never {
  throw new Refusal(reason, message);
}

/** Runs a computation; a {@link refuse} in it becomes a `not-computable` value, any other error is our bug and passes. */
export function attempt<T extends object>(compute: () => T): Outcome<T> {
  try {
    const result = compute();
    refuseOverflow(result);
    return {status: 'ok', ...result};
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {status: 'not-computable', reason: error.reason, message: error.message};
  }
}

/** Finite data near the ends of the doubles can still overflow on the way; a NaN must not leave as a result. */
function refuseOverflow(result: object): void {
  for (const [name, value] of Object.entries(result)) {
    const isOverflown = Array.isArray(value) ? value.some(Number.isNaN) : Number.isNaN(value);
    if (isOverflown) refuse('non_finite', `${name} overflowed: give the data in a larger unit, nearer to 1`);
  }
}
