/**
 * Bundles and minifies the browser entry of the SDK: dist/sdk/browser.js → dist/sdk/browser.min.js.
 * Fails when it grows beyond its promised size or pulls in anything but itself.
 */
import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {gzipSync} from 'node:zlib';
import {rolldown} from 'rolldown';

const GZIP_BYTES_MAX = 10 * 1024;
const root = resolve(import.meta.dirname, '..');
const file = resolve(root, 'dist/sdk/browser.min.js');

const bundle = await rolldown({input: resolve(root, 'dist/sdk/browser.js'), platform: 'browser'});
const {output} = await bundle.write({file, format: 'esm', minify: true, sourcemap: false});
await bundle.close();

const [chunk] = output;
const gzipBytes = gzipSync(readFileSync(file)).length;
process.stdout.write(`${JSON.stringify({file: 'dist/sdk/browser.min.js', modules: chunk.moduleIds.length, bytes: chunk.code.length, gzip_bytes: gzipBytes})}\n`);
if (chunk.imports.length > 0) throw new Error(`the browser build imports ${chunk.imports.join(', ')}`);
if (gzipBytes > GZIP_BYTES_MAX) throw new Error(`the browser build takes ${gzipBytes} bytes gzipped, at most ${GZIP_BYTES_MAX} are promised`);
