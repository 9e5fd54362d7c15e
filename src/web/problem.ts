import {STATUS_CODES} from 'node:http';
import type {FastifyReply} from 'fastify';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import {BusyError} from '../ingest/accept-events.ts';

/** RFC 9457. `errors` names single fields where there is more than one thing to say. */
export type Problem = {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Stable; what programs look at. */
  readonly code?: string;
  readonly errors?: readonly {readonly field: string; readonly message: string}[];
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Thrown by handlers and guards of the server; becomes the answer. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const bodyOf = ({status, title, detail, code, errors}: Problem): string =>
  JSON.stringify({type: 'about:blank', title, status, detail, ...(code === undefined ? {} : {code}), ...(errors === undefined ? {} : {errors})});

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const {status, retryAfterSeconds, headers = {}} = problem;
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  return reply.status(status).headers(headers).type('application/problem+json').send(bodyOf(problem));
}

/** Of a request that Node could not read to its end, so that there is nothing to reply with but the connection. */
export function rawProblem(error: {readonly code?: string}): string {
  const problem = UNREADABLE[error.code ?? ''] ?? {status: 400, title: 'The request is wrong', detail: 'it is not HTTP/1.1 as it should be'};
  const body = bodyOf(problem);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nConnection: close\r\nContent-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const UNREADABLE: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: {status: 431, title: 'The headers are too large', detail: 'address and headers may hold 16 KiB'},
  ERR_HTTP_REQUEST_TIMEOUT: {status: 408, title: 'The request took too long', detail: 'headers and body did not come in time; send it again'},
};

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  ASSAY_NOT_FOUND: 404,
  ASSAY_EXPERIMENT_CONFLICT: 409,
  ASSAY_STREAM_AMBIGUOUS: 409,
};

/** What a thrown thing means to the caller. Errors of ours tell no details: the log has them. */
export function problemOf(error: unknown, {path, logger, bodyBytesMax}: {readonly path: string; readonly logger: Logger; readonly bodyBytesMax: number}): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof BusyError) return {status: 429, title: 'The log is busy', detail: error.message, retryAfterSeconds: error.retryAfterSeconds};
  if (error instanceof AssayError && error.kind === 'input') {
    return {status: STATUS_BY_CODE[error.code] ?? 400, title: TITLES[error.code] ?? 'The request is wrong', detail: error.message, code: error.code};
  }
  if (error instanceof AssayError && error.kind === 'retry') {
    logger.warn('request delayed', {path, code: error.code, error: messageOf(error)});
    return {status: 503, title: 'Not available at the moment', detail: 'the event log or the warehouse does not answer; try again', code: error.code, retryAfterSeconds: 2};
  }
  const status = (error as {statusCode?: number}).statusCode ?? 500;
  if (status === 413) return {status, title: 'The body is too large', detail: `a request may hold ${bodyBytesMax / 1024 / 1024} MiB; send fewer events at once`};
  if (status < 500) return {status, title: 'The request is wrong', detail: messageOf(error)};
  logger.error('request failed', {path, error: messageOf(error)});
  return {status: 500, title: 'Internal error', detail: 'the server log has the cause'};
}

const TITLES: Readonly<Record<string, string>> = {
  ASSAY_NOT_FOUND: 'Not found',
  ASSAY_EXPERIMENT_CONFLICT: 'Somebody was faster',
  ASSAY_EXPERIMENT_INVALID: 'The experiment is wrong',
  ASSAY_STREAM_AMBIGUOUS: 'Which stream is meant is not clear',
  ASSAY_QUERY_REFUSED: 'The query was refused',
};
