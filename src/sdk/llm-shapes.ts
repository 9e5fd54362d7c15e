import type {OutcomeStatus} from '../core/events.ts';
import type {TokenUsage} from './price-table.ts';

/**
 * What can be read off the answers of LLM clients, whichever way they are shaped:
 * chat completions (`prompt_tokens`, `completion_tokens`), responses and messages
 * (`input_tokens`, `output_tokens`), whole or in chunks. Reads plain fields only;
 * what is not there is left out.
 */
export type AnswerFacts = {readonly model?: string; readonly usage?: TokenUsage};

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const fields = (value: unknown): Fields => (isFields(value) ? value : {});
const count = (value: unknown): number | undefined => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined);

/** Of a whole answer, or of one chunk of a stream (the responses API nests the answer in its last event). */
export function readAnswer(answer: unknown): AnswerFacts {
  const outer = fields(answer);
  const inner = isFields(outer['response']) ? outer['response'] : isFields(outer['message']) && outer['choices'] === undefined ? outer['message'] : outer;
  const model = typeof inner['model'] === 'string' ? inner['model'] : undefined;
  const usage = readUsage(inner['usage'] ?? outer['usage']);
  return {...(model === undefined ? {} : {model}), ...(usage === undefined ? {} : {usage})};
}

function readUsage(value: unknown): TokenUsage | undefined {
  if (!isFields(value)) return undefined;
  const input = count(value['prompt_tokens']) ?? count(value['input_tokens']);
  const output = count(value['completion_tokens']) ?? count(value['output_tokens']);
  if (input === undefined && output === undefined) return undefined;
  const details = fields(value['prompt_tokens_details'] ?? value['input_tokens_details']);
  return {input: input ?? 0, output: output ?? 0, cached: count(details['cached_tokens']) ?? count(value['cache_read_input_tokens']) ?? 0};
}

/** The larger of two readings: streams repeat usage, each time with what was known by then. */
export function mergeFacts(known: AnswerFacts, next: AnswerFacts): AnswerFacts {
  if (known.usage === undefined || next.usage === undefined) return {...known, ...next};
  const [a, b] = [known.usage, next.usage];
  return {...known, ...next, usage: {input: Math.max(a.input, b.input), output: Math.max(a.output, b.output), cached: Math.max(a.cached, b.cached)}};
}

/** Whether a chunk carries text (or a tool call), so that the first such chunk is the first token. */
export function hasContent(chunk: unknown): boolean {
  if (typeof chunk === 'string') return chunk !== '';
  if (chunk instanceof Uint8Array) return chunk.length > 0;
  const {choices, delta, type} = fields(chunk);
  if (Array.isArray(choices)) {
    return choices.some(choice => {
      const {content, tool_calls, reasoning_content} = fields(fields(choice)['delta']);
      return isText(content) || isText(reasoning_content) || (Array.isArray(tool_calls) && tool_calls.length > 0);
    });
  }
  if (typeof type === 'string' && type.endsWith('.delta')) return isText(delta);
  const {text, partial_json} = fields(delta);
  return isText(text) || isText(partial_json);
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

const TIMEOUT_NAMES = /timeout|abort/i;
const TIMEOUT_CODES = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** The class of an error: by HTTP status where it has one, a time limit by name or code, otherwise the server's. */
export function statusOfError(error: unknown): Exclude<OutcomeStatus, 'ok'> {
  const {status, statusCode, name, code, cause} = fields(error);
  const http = count(status) ?? count(statusCode);
  if (http === 408 || http === 504) return 'timeout';
  if (http !== undefined && http >= 400 && http < 500) return 'client_error';
  if (http !== undefined && http >= 500) return 'server_error';
  const constructorName = isFields(error) ? error.constructor.name : '';
  if (TIMEOUT_NAMES.test(`${String(name)} ${constructorName}`) || TIMEOUT_CODES.has(String(code))) return 'timeout';
  return TIMEOUT_CODES.has(String(fields(cause)['code'])) ? 'timeout' : 'server_error';
}

/** A fetch `Response` is an answer that may itself say that it failed. */
export function statusOfAnswer(answer: unknown): OutcomeStatus {
  const {status, ok} = fields(answer);
  return typeof status === 'number' && ok === false ? statusOfError({status}) : 'ok';
}
