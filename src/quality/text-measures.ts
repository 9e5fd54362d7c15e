import {l as rouge} from 'js-rouge';

/**
 * Measures of a candidate text against a reference, each from 0 to 1. Words are
 * runs of letters and digits in lower case; of scripts written without spaces each
 * character is a word.
 *
 * BLEU: Papineni et al. 2002, up to 4-grams, smoothed by adding one to the n-grams
 * above unigrams (Lin and Och 2004), so that one short sentence has a score.
 * ROUGE-L: Lin 2004, F1 of the longest common subsequence, by js-rouge.
 * METEOR: Banerjee and Lavie 2005 with exact matches alone (no stems, no synonyms).
 */
const WORD = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{N}\p{M}]+/gu;
/** The longest common subsequence takes time and memory in the product of both lengths. */
export const WORDS_MAX = 5_000;

export const wordsOf = (text: string): string[] => (text.normalize('NFC').toLowerCase().match(WORD) ?? []).slice(0, WORDS_MAX);

export type TextMeasures = {readonly exact_match: number; readonly bleu: number; readonly rouge_l: number; readonly meteor: number};

export function textMeasures(candidate: string, reference: string): TextMeasures {
  const [ours, theirs] = [wordsOf(candidate), wordsOf(reference)];
  return {exact_match: exactMatch(candidate, reference), bleu: bleu(ours, theirs), rouge_l: rougeL(ours, theirs), meteor: meteor(ours, theirs)};
}

/** 1 when the words are the same in the same order: case, spaces and punctuation aside. */
export function exactMatch(candidate: string, reference: string): number {
  const [ours, theirs] = [wordsOf(candidate), wordsOf(reference)];
  if (ours.length === 0 && theirs.length === 0) return candidate.trim() === reference.trim() ? 1 : 0;
  return ours.length === theirs.length && ours.every((word, index) => word === theirs[index]) ? 1 : 0;
}

const BLEU_GRAMS = 4;

export function bleu(candidate: readonly string[], reference: readonly string[]): number {
  if (candidate.length === 0 || reference.length === 0) return 0;
  let logSum = 0;
  for (let size = 1; size <= BLEU_GRAMS; size += 1) {
    const smoothing = size === 1 ? 0 : 1;
    const matches = clippedMatches(candidate, reference, size) + smoothing;
    const total = Math.max(0, candidate.length - size + 1) + smoothing;
    if (matches === 0) return 0;
    logSum += Math.log(matches / total);
  }
  const brevity = candidate.length >= reference.length ? 1 : Math.exp(1 - reference.length / candidate.length);
  return brevity * Math.exp(logSum / BLEU_GRAMS);
}

/** n-grams of the candidate that the reference has, none counted more often than there. */
function clippedMatches(candidate: readonly string[], reference: readonly string[], size: number): number {
  const left = gramsOf(reference, size);
  let matches = 0;
  for (const [gram, count] of gramsOf(candidate, size)) matches += Math.min(count, left.get(gram) ?? 0);
  return matches;
}

function gramsOf(words: readonly string[], size: number): Map<string, number> {
  const grams = new Map<string, number>();
  for (let at = 0; at + size <= words.length; at += 1) {
    const gram = words.slice(at, at + size).join(' ');
    grams.set(gram, (grams.get(gram) ?? 0) + 1);
  }
  return grams;
}

export function rougeL(candidate: readonly string[], reference: readonly string[]): number {
  if (candidate.length === 0 || reference.length === 0) return 0;
  // Our words, and each text as one sentence; the library has both by name, so the tokenizer tells them apart.
  const words: Readonly<Record<string, readonly string[]>> = {candidate, reference};
  return rouge('candidate', 'reference', {segmenter: text => [text], tokenizer: name => [...(words[name] ?? [])]});
}

/** Recall weighs nine times as much as precision; words out of order cost up to half. */
export function meteor(candidate: readonly string[], reference: readonly string[]): number {
  const pairs = alignWords(candidate, reference);
  const matches = pairs.length;
  if (matches === 0) return 0;
  const [precision, recall] = [matches / candidate.length, matches / reference.length];
  const mean = (10 * precision * recall) / (recall + 9 * precision);
  const chunks = pairs.filter(([ours, theirs], index) => {
    const before = pairs[index - 1];
    return before === undefined || ours !== before[0] + 1 || theirs !== before[1] + 1;
  }).length;
  return mean * (1 - 0.5 * (chunks / matches) ** 3);
}

/** Each word with an unused equal one, that which continues the run before it if there is one, else the first. */
function alignWords(candidate: readonly string[], reference: readonly string[]): (readonly [number, number])[] {
  const places = new Map<string, number[]>();
  reference.forEach((word, index) => {
    const known = places.get(word);
    if (known === undefined) places.set(word, [index]);
    else known.push(index);
  });
  const pairs: (readonly [number, number])[] = [];
  candidate.forEach((word, ours) => {
    const free = places.get(word) ?? [];
    const before = pairs.at(-1);
    const following = before !== undefined && before[0] === ours - 1 ? free.indexOf(before[1] + 1) : -1;
    const [theirs] = free.splice(Math.max(0, following), 1);
    if (theirs !== undefined) pairs.push([ours, theirs]);
  });
  return pairs;
}

/** Of two embeddings, −1 to 1; undefined when they differ in length or one is all zeros. */
export function cosine(a: readonly number[], b: readonly number[]): number | undefined {
  if (a.length !== b.length || a.length === 0) return undefined;
  let [dot, squaresA, squaresB] = [0, 0, 0];
  a.forEach((value, index) => {
    const other = b[index] ?? 0;
    dot += value * other;
    squaresA += value * value;
    squaresB += other * other;
  });
  return squaresA === 0 || squaresB === 0 ? undefined : dot / Math.sqrt(squaresA * squaresB);
}
