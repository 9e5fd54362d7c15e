#!/usr/bin/env node
import {existsSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(fileURLToPath(main))) {
  // The engine runs each query on a thread of this pool; files share it.
  process.env.UV_THREADPOOL_SIZE ??= "16";
  await import(main.href);
} else {
  process.stderr.write('assay: not built; run `npm ci` (or `npm run build`) in the checkout first\n');
  process.exitCode = 1;
}
