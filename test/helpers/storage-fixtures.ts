import type {DeadLetterRow, ExposureFact, OutcomeFact} from '../../src/core/facts.ts';
import type {Exposure, Outcome} from '../../src/core/events.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {epochMs} from '../../src/core/units.ts';

/** 2026-01-01T00:00:00Z. */
export const START = 1_767_225_600_000;

/** A UUIDv7 from a time and a number that makes it unique. */
export function eventIdAt(ms: number, serial: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(ms / 2 ** 32));
  view.setUint32(2, ms >>> 0);
  view.setUint16(6, 0x7000);
  view.setUint16(8, 0x8000);
  view.setUint32(12, serial);
  return bytes;
}

type At = {readonly serial: number; readonly offset: number; readonly ms?: number; readonly arrivalMs?: number; readonly partition?: number};

const arrivalAt = ({offset, ms = START, arrivalMs = ms, partition = 0}: At) => ({
  logEpoch: 1,
  partition,
  offset: BigInt(offset),
  appendTs: epochMs(arrivalMs),
  arrivalTs: epochMs(arrivalMs),
});

export function outcomeFact(at: At, given: Partial<Outcome> = {}): OutcomeFact {
  const ms = at.ms ?? START;
  return {
    kind: 'outcome',
    eventId: eventIdAt(ms, at.serial),
    unitId: `unit-${at.serial}`,
    eventTs: epochMs(ms),
    itemId: null,
    variantHint: {},
    measures: {score: 0.5},
    status: 'ok',
    sampleRate: 1,
    traceId: '',
    attributes: {},
    ...given,
    arrival: arrivalAt(at),
  };
}

export function exposureFact(at: At, given: Partial<Exposure> = {}): ExposureFact {
  const ms = at.ms ?? START;
  return {
    kind: 'exposure',
    eventId: eventIdAt(ms, at.serial),
    experiment: 'answer-model',
    variant: 'v1',
    phase: 1,
    unitId: `unit-${at.serial}`,
    eventTs: epochMs(ms),
    configVersion: 1,
    reason: 'assigned',
    itemId: null,
    sessionId: null,
    sampleRate: 1,
    traceId: '',
    attributes: {},
    ...given,
    arrival: arrivalAt(at),
  };
}

export const deadLetterRow = (offset: number, given: Partial<DeadLetterRow> = {}): DeadLetterRow => ({
  ...arrivalAt({serial: 0, offset}),
  lastOffset: BigInt(offset),
  code: 'undecodable',
  message: 'not Avro',
  key: null,
  value: Uint8Array.of(0, 255, 10, 39, 92),
  ...given,
});

export const arrivalRowOf = (fact: OutcomeFact | ExposureFact) => ({
  ...fact.arrival,
  kind: fact.kind,
  idHash: 2n ** 64n - 1n,
  payloadHash: 7n,
  code: '' as const,
});

export function verdictAt(serial: number, given: Partial<Verdict> = {}): Verdict {
  const nothing = null;
  return {
    verdict_id: `verdict-${serial}`, created_at: new Date(START + serial).toISOString(), stream: 'live', experiment: 'answer-model', config_version: 1, phase: 1,
    design: 'split', metric: 'judge_score', role: 'goal', aggregate: 'mean', direction: 'higher', control: 'v1', variant: 'v2', test: 'welch-t',
    n_control: 10, n_variant: 12, mean_control: 0.1 + 0.2, mean_variant: 1e-300, sd_control: nothing, sd_variant: nothing, effect_absolute: nothing,
    effect_relative: nothing, ci_low: nothing, ci_high: nothing, p_value: nothing, p_value_adjusted: nothing, p_value_always_valid: nothing, cs_low: nothing,
    cs_high: nothing, pairs: nothing, pair_coverage: nothing, srm_p_value: nothing, decision: 'keep_running', previous_decision: nothing, reasons: ['n < min_n'],
    arms: [], tests: [],
    health: {
      srm: {status: 'not-computable', p_value: nothing, observed: {}, weights: nothing},
      crossovers: {units: 0, share: 0, status: 'healthy'},
      missing_outcomes: {status: 'not-computable', by_variant: {}, p_value: nothing},
      ledger: {status: 'not-checked', mismatch: 0},
    },
    data_from: nothing, data_to: nothing, cut: {arrival_ts: START, config_versions: {}}, offsets: [], outcomes_late: 0, outcomes_unattributed: 0,
    audit: {mismatch: nothing, slices_checked: 0, checked_at: nothing}, sql: "SELECT 'ü'\n", analysis: {}, versions: {assay: '0', node: '20', engine: '26'},
    evidence_digest: 'd', ...given,
  };
}
