/** How the HTTP front runs statements without knowing the engine; wired in `roles/`. */
export interface SqlExecutor {
  /**
   * Runs one statement on a connection of its own, so that nothing set for it outlives it.
   * @throws SqlEngineError what the engine says
   */
  execute(statement: SqlStatement): Promise<SqlAnswer>;
}

export type SqlStatement = {
  /** Parameters already filled in. */
  readonly sql: string;
  /** Used unless the statement has a FORMAT clause of its own. */
  readonly defaultFormat: string;
  /** Set before the statement runs. */
  readonly settings: Readonly<Record<string, string>>;
  /** Sets `readonly = 1` after the settings. */
  readonly isReadOnly: boolean;
  /** A file with the rows of an `INSERT … FORMAT x`. */
  readonly dataFile: string | null;
};

export type SqlAnswer = {
  readonly body: Uint8Array;
  /** The format the body is in; '' when nothing was asked. */
  readonly format: string;
  readonly rowsRead: number;
  readonly bytesRead: number;
};

/** An exception of the engine with its number, e.g. 60 UNKNOWN_TABLE. */
export class SqlEngineError extends Error {
  override readonly name = 'SqlEngineError';
  readonly engineCode: number;

  constructor(engineCode: number, message: string, options?: {cause: unknown}) {
    super(message, options);
    this.engineCode = engineCode;
  }
}
