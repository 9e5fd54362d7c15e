import {BaseSequencer, type TestSpecification} from 'vitest/node';

/** These take minutes each. Begun last they would run on while the other worker has nothing left to do. */
const LONGEST = [/faults\/faults\.e2e/, /import-kafka\.e2e/, /import-azure\.e2e/, /supervision\.e2e/, /seeds\.e2e/];

const rankOf = ({moduleId}: TestSpecification): number => {
  const rank = LONGEST.findIndex(pattern => pattern.test(moduleId));
  return rank === -1 ? LONGEST.length : rank;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
