import {BaseSequencer, type TestSpecification} from 'vitest/node';

const patterns = (names: readonly string[]): RegExp[] => names.map(name => new RegExp(`/${name.replaceAll('.', '\\.')}\\.test\\.ts$`));

const FIRST = patterns([
  // Takes longest of all, on as much of the machine as it can get,
  'faults/faults.e2e',
  // so that files which mostly wait are run beside it.
  'faults/supervision.e2e',
  'e2e/outage.e2e',
  'log/kafka/coordinator-loading.kafka',
  'log/kafka/failures.kafka',
  'e2e/import-kafka.e2e',
  'faults/secrets.e2e',
  'e2e/operate.e2e',
  // These take minutes each. Begun last they would run on while the other worker has nothing left to do.
  'sim/seeds.e2e',
  'e2e/import-azure.e2e',
  'e2e/documents.e2e',
  'warehouse/shards.chdb',
  'warehouse/closing-semantics.chdb',
  'dashboard/dashboard.browser',
]);

const rankOf = ({moduleId}: TestSpecification): number => {
  const rank = FIRST.findIndex(pattern => pattern.test(moduleId));
  return rank === -1 ? FIRST.length : rank;
};

/** The order that keeps both workers busy to the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
