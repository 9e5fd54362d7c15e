import {readFileSync} from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {version: string};

/** The package's version: part of every verdict's evidence. */
export const VERSION = manifest.version;
