import type {Assets} from '../assets.ts';
import {namesEtag} from '../etag.ts';
import {ProblemError} from '../problem.ts';
import {type Answer, type Call, type Route, route} from '../route.ts';
import {dashboardPolicy} from '../security-headers.ts';

/** Addresses that people see; the dashboard's code decides what they show. */
const PAGES = ['/', '/experiments/:experiment', '/alerts', '/deliveries', '/guards', '/pipeline', '/audit'] as const;

const NOT_BUILT = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Assay</title><body><h1>The dashboard is not built</h1><p>Run <code>npm run build</code>. The API is at <a href="/openapi.json">/openapi.json</a>.</p></body></html>';

export function pageRoutes(assets: Assets | null): Route[] {
  const page = (call: Call<unknown, unknown>): Answer => {
    if (assets === null) return {body: NOT_BUILT, type: 'text/html; charset=utf-8'};
    return fileAnswer(assets, '/index.html', call, {'content-security-policy': dashboardPolicy(assets.importMapHash)});
  };
  return [
    ...PAGES.map(path =>
      route({method: 'GET', path, permission: 'public', tag: 'pages', summary: 'The dashboard; what it shows it asks of the API.', answers: {200: {describe: 'A page.', type: 'text/html'}}, handle: page}),
    ),
    route({
      method: 'GET',
      path: '/assets/*',
      permission: 'public',
      tag: 'pages',
      summary: 'Files of the dashboard.',
      answers: {200: {describe: 'A file.'}},
      handle: call => {
        const path = `/assets/${call.params['*'] ?? ''}`;
        if (assets?.files.has(path) !== true) throw new ProblemError({status: 404, title: 'Not found', detail: 'there is no such file'});
        return fileAnswer(assets, path, call, {});
      },
    }),
  ];
}

function fileAnswer({files}: Assets, path: string, {headers}: Call<unknown, unknown>, more: Readonly<Record<string, string>>): Answer {
  const file = files.get(path);
  if (file === undefined) throw new ProblemError({status: 404, title: 'Not found', detail: 'there is no such file'});
  // Checked again each time: after an upgrade no old module meets a new one.
  const common = {...more, etag: file.etag, 'cache-control': 'no-cache', vary: 'accept-encoding'};
  if (namesEtag(headers['if-none-match'], file.etag)) return {status: 304, headers: common, body: null};
  const isGzip = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
  return {type: file.type, headers: isGzip ? {...common, 'content-encoding': 'gzip'} : common, body: isGzip ? file.gzipped : file.body};
}
