import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';

/** A file of the dashboard, held in memory: what is not in the map cannot be asked for. */
export type Asset = {readonly body: Buffer; readonly gzipped: Buffer; readonly type: string; readonly etag: string};

export type Assets = {
  readonly files: ReadonlyMap<string, Asset>;
  /** base64 SHA-256 of the page's one inline script, the map of module names. */
  readonly importMapHash: string;
};

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8', mjs: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml', html: 'text/html; charset=utf-8',
};

/** Modules of libraries under the names that the dashboard's code imports. */
const LIBRARIES: Readonly<Record<string, string>> = {
  preact: 'preact/dist/preact.mjs',
  'preact/hooks': 'preact/hooks/dist/hooks.mjs',
  'preact/jsx-runtime': 'preact/jsx-runtime/dist/jsxRuntime.mjs',
  uplot: 'uplot/dist/uPlot.esm.js',
};
const LIBRARY_STYLES: readonly string[] = ['uplot/dist/uPlot.min.css'];

const addressOf = (path: string): string => `/assets/lib/${path.replaceAll('/', '-')}`;

/** src/web and dist/web lie equally far from both. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Compiled for browsers by `npm run build`. */
const COMPILED = join(ROOT, 'dist/browser');
const STATIC = join(ROOT, 'src/dashboard/static');

/** Reads every file once. null when the dashboard is not built: the API works without. */
export function loadAssets(): Assets | null {
  if (!existsSync(join(COMPILED, 'dashboard/main.js'))) return null;
  const files = new Map<string, Asset>();
  for (const path of readdirSync(COMPILED, {recursive: true, encoding: 'utf8'})) {
    if (path.endsWith('.js')) files.set(`/assets/${path.replaceAll('\\', '/')}`, assetOf(path, readFileSync(join(COMPILED, path))));
  }
  const modules = join(packageRoot('preact'), '..');
  for (const path of [...Object.values(LIBRARIES), ...LIBRARY_STYLES]) {
    files.set(addressOf(path), assetOf(path, withoutSourceMap(readFileSync(join(modules, path), 'utf8'))));
  }
  for (const name of ['dashboard.css', 'icon.svg']) files.set(`/assets/${name}`, assetOf(name, readFileSync(join(STATIC, name))));
  const importMap = JSON.stringify({imports: Object.fromEntries(Object.entries(LIBRARIES).map(([name, path]) => [name, addressOf(path)]))});
  const page = pageText([...files.keys()], importMap);
  files.set('/index.html', assetOf('index.html', page));
  return {files, importMapHash: createHash('sha256').update(importMap).digest('base64')};
}

/** The maps are not served, and a browser's tools would ask for them. */
const withoutSourceMap = (text: string): string => text.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, '\n');

function pageText(addresses: readonly string[], importMap: string): string {
  const modules = addresses.filter(address => /\.m?js$/.test(address));
  return readFileSync(join(STATIC, 'index.html'), 'utf8')
    .replace('<!-- import map -->', `<script type="importmap">${importMap}</script>`)
    .replace('<!-- library styles -->', LIBRARY_STYLES.map(path => `<link rel="stylesheet" href="${addressOf(path)}">`).join(''))
    .replace('<!-- modules -->', modules.map(address => `<link rel="modulepreload" href="${address}">`).join(''));
}

function assetOf(path: string, content: string | Buffer): Asset {
  const body = typeof content === 'string' ? Buffer.from(content) : path.endsWith('.js') ? Buffer.from(withoutSourceMap(content.toString('utf8'))) : content;
  const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
  return {body, gzipped: gzipSync(body), type, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`};
}

const packageRoot = (name: string): string => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
