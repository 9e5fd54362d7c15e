import {pairedT} from '../stats/paired-t.ts';
import {wilcoxonSignedRank} from '../stats/wilcoxon-signed-rank.ts';
import {cosine, textMeasures} from './text-measures.ts';

/** One test case: what both candidates answered and what was wanted; embeddings where somebody made them. */
export type EvaluationItem = {
  readonly item: string;
  readonly reference: string;
  readonly candidateA: string;
  readonly candidateB: string;
  readonly embeddings: {readonly reference: readonly number[]; readonly a: readonly number[]; readonly b: readonly number[]} | null;
};

export type MeasureSummary = {
  readonly measure: string;
  readonly n: number;
  readonly mean_a: number;
  readonly mean_b: number;
  /** mean_b − mean_a, over the items. */
  readonly difference: number;
  readonly ci_low: number | null;
  readonly ci_high: number | null;
  readonly p_paired_t: number | null;
  readonly p_wilcoxon: number | null;
  readonly wins_a: number;
  readonly ties: number;
  readonly wins_b: number;
  /** Why a test says nothing; '' when both do. */
  readonly note: string;
};

/** @throws TypeError naming the field, what it is and what it must be. */
export function parseItem(value: unknown): EvaluationItem {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('is not an object with item, reference, candidate_a and candidate_b');
  const fields = value as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const given = fields[name];
    if (typeof given === 'string') return given;
    if (name === 'item' && typeof given === 'number') return String(given);
    throw new TypeError(`${name} is ${given === undefined ? 'missing' : kindOf(given)}; it must be text`);
  };
  const vectors = ['embedding_reference', 'embedding_a', 'embedding_b'].map(name => vectorOf(name, fields[name]));
  const [reference, a, b] = vectors;
  const hasAll = reference !== undefined && a !== undefined && b !== undefined;
  if (!hasAll && vectors.some(vector => vector !== undefined)) throw new TypeError('has some embeddings; give embedding_reference, embedding_a and embedding_b, or none');
  if (hasAll && (a.length !== reference.length || b.length !== reference.length)) {
    throw new TypeError(`embeddings have ${reference.length}, ${a.length} and ${b.length} numbers (reference, a, b); they must be of one model and one length`);
  }
  return {item: text('item'), reference: text('reference'), candidateA: text('candidate_a'), candidateB: text('candidate_b'), embeddings: hasAll ? {reference, a, b} : null};
}

const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`);

function vectorOf(name: string, value: unknown): number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.length > 0 && value.every(one => typeof one === 'number' && Number.isFinite(one))) return value as number[];
  throw new TypeError(`${name} must be a list of finite numbers`);
}

/** Both candidates on the same items, measure by measure, by the paired tests. */
export function evaluateItems(items: readonly EvaluationItem[]): MeasureSummary[] {
  const values = new Map<string, {a: number[]; b: number[]}>();
  const add = (measure: string, a: number, b: number): void => {
    const known = values.get(measure) ?? {a: [], b: []};
    values.set(measure, known);
    known.a.push(a);
    known.b.push(b);
  };
  for (const {reference, candidateA, candidateB, embeddings} of items) {
    const [a, b] = [textMeasures(candidateA, reference), textMeasures(candidateB, reference)];
    for (const measure of Object.keys(a) as (keyof typeof a)[]) add(measure, a[measure], b[measure]);
    const similar = embeddings === null ? [] : [cosine(embeddings.a, embeddings.reference), cosine(embeddings.b, embeddings.reference)];
    if (similar[0] !== undefined && similar[1] !== undefined) add('cosine', similar[0], similar[1]);
  }
  return [...values].map(([measure, {a, b}]) => summaryOf(measure, a, b));
}

function summaryOf(measure: string, a: readonly number[], b: readonly number[]): MeasureSummary {
  const n = a.length;
  const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / n;
  const t = pairedT({a: b, b: a});
  const ranks = wilcoxonSignedRank({a: b, b: a});
  const count = (isCounted: (difference: number) => boolean): number => b.filter((value, index) => isCounted(value - (a[index] ?? 0))).length;
  const reasons = [t, ranks].flatMap(result => (result.status === 'ok' ? [] : [result.reason]));
  return {
    measure, n,
    mean_a: mean(a),
    mean_b: mean(b),
    difference: mean(b) - mean(a),
    ci_low: t.status === 'ok' ? t.ci[0] : null,
    ci_high: t.status === 'ok' ? t.ci[1] : null,
    p_paired_t: t.status === 'ok' ? t.pValue : null,
    p_wilcoxon: ranks.status === 'ok' ? ranks.pValue : null,
    wins_a: count(difference => difference < 0),
    ties: count(difference => difference === 0),
    wins_b: count(difference => difference > 0),
    note: [...new Set(reasons)].join('; '),
  };
}
