import {pino} from 'pino';
import type {Logger} from '../core/telemetry.ts';

/** Names whose values never reach a log line, wherever they stand. */
const SECRET_PATHS = ['password', 'secret', 'secrets', 'token', '*.password', '*.secret', '*.secrets', '*.token', 'authorization', '*.authorization'];

/** Structured lines on stderr: stdout holds a command's answer alone. */
export function openLogger(level: string, base: Readonly<Record<string, unknown>> = {}): Logger {
  const log = pino(
    {level, base: {...base}, redact: {paths: SECRET_PATHS, censor: '***'}, timestamp: pino.stdTimeFunctions.isoTime},
    pino.destination({fd: 2, sync: true}),
  );
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}
