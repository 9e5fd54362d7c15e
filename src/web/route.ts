import type {IncomingHttpHeaders, ServerResponse} from 'node:http';
import {z} from 'zod';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {Permission, Role} from './access/roles.ts';
import {ProblemError} from './problem.ts';

/**
 * One entry of the HTTP API. The table of routes is the only source: from it come the
 * server's handlers, the permissions, the checks of queries and bodies and `/openapi.json`.
 */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/v1/experiments/:experiment`; a last `*` takes the rest. */
  readonly path: string;
  readonly permission: Permission;
  readonly summary: string;
  readonly tag: 'events' | 'serving' | 'experiments' | 'results' | 'alerts' | 'pipeline' | 'access' | 'operations' | 'pages';
  readonly query?: z.ZodType;
  /** The JSON body's shape; a route without reads no body. `text` is handed over as it came. */
  readonly body?: z.ZodType | 'text';
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** Writes who did it into the audit log. */
  readonly isAudited?: boolean;
  handle(call: Call<unknown, unknown>): Promise<Answer> | Answer;
};

export type AnswerDoc = {readonly describe: string; readonly schema?: z.ZodType; /** JSON unless it says otherwise; of several the first is the default. */ readonly type?: string | readonly string[]};

/** Who calls: a key, or anybody on this machine while there are no keys. */
export type Caller = {readonly name: string; readonly role: Role; readonly keyId: string | null};

export type Call<Query, Body> = {
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  /** For answers that never end. */
  readonly raw: ServerResponse;
  /** A line for the audit log. */
  note(detail: string): void;
};

/** JSON unless `type` says otherwise. `null` body: none. */
export type Answer = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly body: unknown;
  /** The handler wrote to `raw` itself. */
  readonly isTaken?: boolean;
};

export const json = (body: unknown, more: Omit<Answer, 'body'> = {}): Answer => ({...more, body});

type Typed<Query extends z.ZodType, Body extends z.ZodType | 'text'> = Omit<Route, 'query' | 'body' | 'handle'> & {
  readonly query?: Query;
  readonly body?: Body;
  handle(call: Call<z.infer<Query>, Body extends z.ZodType ? z.infer<Body> : string>): Promise<Answer> | Answer;
};

/**
 * Checks at compile time that a handler takes what its schemas let through. What a shape does
 * not name is refused, so that a misspelt filter, or guard against a faster colleague, is not
 * passed over in silence.
 */
export function route<Query extends z.ZodType = z.ZodType<Record<never, never>>, Body extends z.ZodType | 'text' = 'text'>(typed: Typed<Query, Body>): Route {
  const {query, body} = typed;
  return {...typed, ...(query === undefined ? {} : {query: closed(query)}), ...(body === undefined || body === 'text' ? {} : {body: closed(body)})} as unknown as Route;
}

const closed = (schema: z.ZodType): z.ZodType => (schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema);

/** @throws ProblemError naming every wrong field, the kind of its value and the fix. */
export function parseInput(schema: z.ZodType, value: unknown, where: 'query' | 'body'): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const errors = parsed.error.issues.flatMap(issue =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(key => ({field: [...issue.path, key].join('.'), message: `is not known here${issue.path.length === 0 && known.length > 0 ? `; there is ${known.join(', ')}` : ''}`}))
      : [{field: issue.path.join('.'), message: issueText(issue, value)}],
  );
  const detail = errors.map(({field, message}) => (field === '' ? message : `${field}: ${message}`)).join('; ');
  throw new ProblemError({status: 400, title: `The ${where} is wrong`, detail, errors});
}

function issueText(issue: z.core.$ZodIssue, value: unknown): string {
  const given = issue.path.reduce<unknown>((inner, part) => (inner as Record<PropertyKey, unknown> | undefined)?.[part], value);
  return given === undefined ? `missing; ${issue.message}` : `${issue.message}, got ${shown(given)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Whole numbers as they stand in a query string. */
export const wholeNumber = (min: number, max: number) =>
  z.string().regex(/^\d{1,15}$/, 'write a whole number').transform(Number).pipe(z.number().min(min).max(max));

/** Page by page: `limit` rows after the `cursor` that the page before ended with. */
export const paging = (limitMax: number, limitDefault: number) => ({
  limit: wholeNumber(1, limitMax).default(limitDefault),
  cursor: z.string().max(2_000).optional(),
});

const PLACE = z.object({through: z.string().refine(at => Number.isFinite(Date.parse(at))), skip: z.number().int().min(0).max(10_000_000)});

/** Newest first, page by page: rows of no later than the first page's newest, beyond those that were given. */
export type Place = z.infer<typeof PLACE>;
export const placeOf = (cursor: string | undefined): Place | null => fromCursor(cursor, PLACE);

/** A place as the warehouse takes it. */
export const below = (place: Place | null): {readonly through?: EpochMs; readonly skip?: number} => (place === null ? {} : {through: epochMs(Date.parse(place.through)), skip: place.skip});

/**
 * @param found one row more than `limit`, if there are as many
 * @returns the page, and where the next one begins
 */
export function pageOf<Row>(found: readonly Row[], {limit, place, timeOf}: {readonly limit: number; readonly place: Place | null; timeOf(row: Row): string}): {readonly page: readonly Row[]; readonly next_cursor: string | null} {
  const page = found.slice(0, limit);
  const [newest] = page;
  const isLast = newest === undefined || found.length <= limit;
  return {page, next_cursor: isLast ? null : toCursor({through: place?.through ?? timeOf(newest), skip: (place?.skip ?? 0) + limit} satisfies Place)};
}

/** A cursor is opaque to clients: what it holds may change. */
export const toCursor = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function fromCursor<T>(cursor: string | undefined, schema: z.ZodType<T>): T | null {
  if (cursor === undefined) return null;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new ProblemError({status: 400, title: 'The query is wrong', detail: 'cursor: is not one of ours; leave it out for the first page, then send next_cursor as it came'});
  }
}
