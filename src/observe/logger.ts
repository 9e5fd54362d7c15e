import {type DestinationStream, pino} from 'pino';
import type {Logger} from '../core/telemetry.ts';
import {currentTraceId} from './trace-context.ts';

/** Names whose values never reach a log line, wherever they stand. */
const SECRET_PATHS = ['password', 'secret', 'secrets', 'token', '*.password', '*.secret', '*.secrets', '*.token', 'authorization', '*.authorization'];

/**
 * Structured lines on stderr: stdout holds a command's answer alone. A line written on
 * behalf of a traced request names its trace.
 */
export function openLogger(level: string, base: Readonly<Record<string, unknown>> = {}, destination: DestinationStream = pino.destination({fd: 2, sync: true})): Logger {
  const log = pino(
    {level, base: {...base}, redact: {paths: SECRET_PATHS, censor: '***'}, timestamp: pino.stdTimeFunctions.isoTime, mixin: traceFields},
    destination,
  );
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}

function traceFields(): {readonly trace_id?: string} {
  const id = currentTraceId();
  return id === undefined ? {} : {trace_id: id};
}
