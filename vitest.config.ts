import {defineConfig} from 'vitest/config';
import {LongestFirst} from './test/helpers/longest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/kafka-global.ts'],
    // A chDB engine keeps about 300 MB and one data directory has one owner, so
    // each file gets a process of its own and two run at once at most.
    pool: 'forks',
    maxWorkers: 2,
    sequence: {sequencer: LongestFirst},
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/helpers/count-reporter.ts'],
  },
});
