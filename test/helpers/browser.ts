import {accessSync, constants, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type BrowserContext, chromium} from 'playwright-core';
import {describe, test} from 'vitest';

const CANDIDATES = [process.env['ASSAY_TEST_CHROMIUM'], '/usr/bin/chromium'];

/** Where Chromium is, or null. $ASSAY_TEST_CHROMIUM comes first. */
export function findChromium(candidates: readonly (string | undefined)[] = CANDIDATES): string | null {
  return candidates.find((path): path is string => path !== undefined && path !== '' && isExecutable(path)) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const NO_BROWSER = 'no Chromium: apt-get install chromium, or set ASSAY_TEST_CHROMIUM to its path';

/** What to do with tests that need a browser: run them, skip them with a reason, or fail since CI must have one. */
export function browserGate(path: string | null, isCi: boolean): 'run' | 'skip' | 'fail' {
  if (path !== null) return 'run';
  return isCi ? 'fail' : 'skip';
}

/** `describe` for tests in Chromium. Without one they count as skipped, with the reason printed; under CI=true they fail. */
export function describeInBrowser(name: string, body: () => void): void {
  const gate = browserGate(findChromium(), process.env['CI'] === 'true');
  if (gate === 'run') {
    describe(name, body);
    return;
  }
  if (gate === 'fail') {
    test(`${name}: needs a browser`, () => {
      throw new Error(NO_BROWSER);
    });
    return;
  }
  process.stderr.write(`skipped: ${name}: ${NO_BROWSER}\n`);
  describe.skip(`${name} (skipped: ${NO_BROWSER})`, body);
}

export type OpenBrowser = {readonly context: BrowserContext; close(): Promise<void>};

/** A browser of its own with an empty profile, which is removed on close. */
export async function openBrowser(): Promise<OpenBrowser> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error(NO_BROWSER);
  const profile = mkdtempSync(join(tmpdir(), 'assay-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, {recursive: true, force: true, maxRetries: 3});
    },
  };
}
