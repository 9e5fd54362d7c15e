import type {Workspace} from './analysis-workspaces.ts';
import type {ArmColumns} from './arm-rows.ts';

/** Kept from look to look, of all running experiments together; 8 bytes each. */
const NUMBERS_MAX = 24_000_000;

/** Answers about a workspace that go from step to step: what a step changed is added to what was known before it. */
export class Carried {
  readonly #answers = new Map<string, {readonly workspace: string; readonly step: number; readonly size: number; readonly answer: unknown}>();

  /**
   * @param change the answer after one step more; null when it has to be asked for in full
   * @param sizeOf of an answer that takes room, in numbers
   */
  async of<Answer>(
    workspace: Workspace,
    name: string,
    {load, change, sizeOf = () => 0}: {readonly load: () => Promise<Answer>; readonly change: (known: Answer) => Promise<Answer | null>; readonly sizeOf?: (answer: Answer) => number},
  ): Promise<Answer> {
    if (!workspace.isLive) return load();
    const key = `${workspace.id} ${name}`;
    const known = this.#answers.get(key) as {readonly step: number; readonly answer: Answer} | undefined;
    if (known?.step === workspace.step) return known.answer;
    const changed = known !== undefined && known.step === workspace.step - 1 ? await change(known.answer) : null;
    const answer = changed ?? (await load());
    this.#answers.delete(key);
    this.#answers.set(key, {workspace: workspace.id, step: workspace.step, size: sizeOf(answer), answer});
    this.#evict();
    return answer;
  }

  /** What is known of workspaces that are no more. */
  keep(ids: ReadonlySet<string>): void {
    for (const [key, {workspace}] of this.#answers) if (!ids.has(workspace)) this.#answers.delete(key);
  }

  #evict(): void {
    let size = [...this.#answers.values()].reduce((sum, one) => sum + one.size, 0);
    for (const [key, one] of this.#answers) {
      if (size <= NUMBERS_MAX) return;
      if (one.size === 0) continue;
      this.#answers.delete(key);
      size -= one.size;
    }
  }
}

/** Answers that serve several questions to one workspace. */
export class Kept<Answer> {
  readonly #answers = new WeakMap<Workspace, Promise<Answer>>();

  of(workspace: Workspace, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.#answers.get(workspace);
    if (known !== undefined) return known;
    const answer = ask();
    this.#answers.set(workspace, answer);
    answer.catch(() => this.#answers.delete(workspace));
    return answer;
  }
}

/** Of the rows that a step replaced: their earliest and latest outcomes by metric. */
export type ArmChange = ArmColumns & {readonly replaced_from: readonly string[]; readonly replaced_to: readonly string[]};

/** Sums of arms after a step; null when an outcome was taken back that was the earliest or latest of its arm. */
export function withArmChanges(arms: readonly ArmColumns[], changes: readonly ArmChange[]): ArmColumns[] | null {
  const after = new Map(arms.map(arm => [arm.variant, arm]));
  for (const {replaced_from: replacedFrom, replaced_to: replacedTo, ...change} of changes) {
    const known = after.get(change.variant);
    if (known === undefined) {
      after.set(change.variant, change);
      continue;
    }
    const {variant, ...sums} = change;
    const before: Readonly<Record<string, unknown>> = known;
    const added = Object.entries(sums).map(([name, values]) => [name, values.map((value, i) => String(BigInt(value) + BigInt(listOf(before[name])[i] ?? 0)))] as const);
    const from = change.all_event_from.map((value, i) => earliest(Number(known.all_event_from[i]), {now: Number(value), before: Number(replacedFrom[i])}));
    const to = change.all_event_to.map((value, i) => earliest(-Number(known.all_event_to[i]), {now: -Number(value), before: -Number(replacedTo[i])}));
    if ([...from, ...to].includes(null)) return null;
    after.set(variant, {...known, ...Object.fromEntries(added), all_event_from: from.map(String), all_event_to: to.map(time => String(-(time ?? 0)))});
  }
  return [...after.values()];
}

/** Of all units, from the earliest of all before a step and of those that it replaced; null when that does not tell. */
function earliest(known: number, {now, before}: {readonly now: number; readonly before: number}): number | null {
  if (now <= known) return now;
  return before > known ? known : null;
}

const listOf = (values: unknown): readonly string[] => (Array.isArray(values) ? values : []);
