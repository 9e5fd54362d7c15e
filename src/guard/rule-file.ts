import {AssayError} from '../core/errors.ts';
import {parseRules} from './parse-rules.ts';
import {isFields} from './rule-reader.ts';
import {EVERYBODY, parseRouting, type Routing} from './routing.ts';
import type {Rule} from './rules.ts';

export type RuleFile = {readonly rules: readonly Rule[]; readonly routing: Routing};

export const NO_RULES: RuleFile = {rules: [], routing: EVERYBODY};

const SECTIONS = ['rules', 'route', 'inhibit', 'silences'];

/** @throws AssayError ASSAY_CONFIG_INVALID that lists every error at once. */
export function parseRuleFile(document: unknown): RuleFile {
  const errors: string[] = [];
  if (isFields(document)) for (const key of Object.keys(document)) if (!SECTIONS.includes(key)) errors.push(`${key} is not known; known are ${SECTIONS.join(', ')}`);
  const routing = parseRouting(document, errors);
  let rules: readonly Rule[] = [];
  try {
    rules = parseRules(document);
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    errors.push(error.message);
  }
  if (errors.length > 0) throw new AssayError('ASSAY_CONFIG_INVALID', errors.join('; '));
  return {rules, routing};
}
