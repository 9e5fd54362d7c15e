import type {Reporter, TestModule} from 'vitest/node';

/** Of each end of a message. */
const SHOWN_CHARS = 400;

/**
 * Says why each test was skipped, names every failure in one line (a log cut short keeps its end,
 * not its middle), and ends with `N passed, N failed, N skipped` alone on a line.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = {passed: 0, failed: errors.length, skipped: 0};
    const reasons = new Map<string, number>();
    const failures: string[] = [];
    for (const error of errors) failures.push(`outside any test: ${firstLine(error)}`);
    for (const module of modules) {
      counts.failed += module.errors().length;
      for (const error of module.errors()) failures.push(`${module.relativeModuleId}: ${firstLine(error)}`);
      for (const test of module.children.allTests()) {
        const {state, errors: found} = test.result();
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') {
          counts.failed += 1;
          failures.push(`${module.relativeModuleId}: ${test.fullName}: ${firstLine(found[0])}`);
        } else {
          counts.skipped += 1;
          const reason = `${module.relativeModuleId}: ${test.fullName.split(' > ')[0]}`;
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        }
      }
    }
    for (const [reason, count] of reasons) process.stdout.write(`skipped ${count}: ${reason}\n`);
    for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
}

/** What went wrong: its beginning and its end, since a process's last words stand at the end of what it said. */
function firstLine(error: unknown): string {
  const message =
    typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
  const line = message.replaceAll(/\s+/g, ' ');
  return line.length <= 2 * SHOWN_CHARS ? line : `${line.slice(0, SHOWN_CHARS)} … ${line.slice(-SHOWN_CHARS)}`;
}
