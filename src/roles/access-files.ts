import {join} from 'node:path';
import type {Config} from '../config/load.ts';

/** Where the hashes of the API keys lie: a file, so that events are taken while the warehouse is away. */
export const keysFileOf = (config: Config): string => config.text('server.keys_file') || join(config.text('data'), 'api-keys.json');

export const auditFileOf = (config: Config): string => config.text('server.audit_file') || join(config.text('data'), 'audit.jsonl');
