import type {IncomingHttpHeaders, ServerResponse} from 'node:http';
import {z} from 'zod';
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

export type AnswerDoc = {readonly describe: string; readonly schema?: z.ZodType; readonly type?: string};

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

/** Checks at compile time that a handler takes what its schemas let through. */
export function route<Query extends z.ZodType = z.ZodType<Record<never, never>>, Body extends z.ZodType | 'text' = 'text'>(typed: Typed<Query, Body>): Route {
  return typed as unknown as Route;
}

/** @throws ProblemError naming every wrong field, the kind of its value and the fix. */
export function parseInput(schema: z.ZodType, value: unknown, where: 'query' | 'body'): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(issue => ({field: issue.path.join('.'), message: issueText(issue, value)}));
  const detail = errors.map(({field, message}) => (field === '' ? message : `${field}: ${message}`)).join('; ');
  throw new ProblemError({status: 400, title: `The ${where} is wrong`, detail, errors});
}

function issueText(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === 'unrecognized_keys') return `${issue.keys.join(', ')} is not known here`;
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
