#!/usr/bin/env node
'use strict';
const {existsSync} = require('node:fs');
const {join} = require('node:path');

// Each running query of the engine holds a thread of this pool, and files share it. It must be set
// before anything asynchronous happens, hence CommonJS: the loader of modules has started the pool already.
process.env.UV_THREADPOOL_SIZE ??= '16';

const main = join(__dirname, '..', 'dist', 'bundle', 'main.js');
if (existsSync(main)) {
  import(require('node:url').pathToFileURL(main).href);
} else {
  process.stderr.write('assay: not built; run `npm ci` (or `npm run build`) in the checkout first\n');
  process.exitCode = 1;
}
