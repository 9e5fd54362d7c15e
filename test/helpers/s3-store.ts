import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';

/** The part of S3 that one writer and one reader need: whole objects, parts, ranges, HEAD. */
export type S3Store = {
  readonly url: string;
  readonly objects: ReadonlyMap<string, Buffer>;
  /** Access keys that requests were signed with. */
  readonly keysSeen: ReadonlySet<string>;
  close(): Promise<void>;
};

export async function openS3Store(accessKey: string): Promise<S3Store> {
  const objects = new Map<string, Buffer>();
  const parts = new Map<string, Buffer>();
  const keysSeen = new Set<string>();
  const server = createServer((request, response) => {
    void answer(request, response, {objects, parts, keysSeen, accessKey});
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    keysSeen,
    close: () =>
      new Promise(done => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

type State = {readonly objects: Map<string, Buffer>; readonly parts: Map<string, Buffer>; readonly keysSeen: Set<string>; readonly accessKey: string};

async function answer(request: IncomingMessage, response: ServerResponse, {objects, parts, keysSeen, accessKey}: State): Promise<void> {
  const {pathname, searchParams} = new URL(request.url ?? '/', 'http://s3');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
  keysSeen.add(key);
  if (key !== accessKey) return xml(response, 403, '<Error><Code>InvalidAccessKeyId</Code><Message>who are you</Message></Error>');
  const part = searchParams.get('partNumber');
  if (request.method === 'POST' && searchParams.has('uploads')) {
    return xml(response, 200, `<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>`);
  }
  if (request.method === 'POST' && searchParams.has('uploadId')) {
    const mine = [...parts].filter(([name]) => name.startsWith(`${pathname}#`)).sort(([a], [b]) => Number(a.split('#')[1]) - Number(b.split('#')[1]));
    objects.set(pathname, Buffer.concat(mine.map(([, bytes]) => bytes)));
    return xml(response, 200, '<CompleteMultipartUploadResult><ETag>"0"</ETag></CompleteMultipartUploadResult>');
  }
  if (request.method === 'PUT') {
    if (part === null) objects.set(pathname, body);
    else parts.set(`${pathname}#${part}`, body);
    response.writeHead(200, {etag: '"0"'}).end();
    return;
  }
  const found = objects.get(pathname);
  if (searchParams.has('list-type')) return xml(response, 200, listing(pathname, searchParams.get('prefix') ?? '', objects));
  if (found === undefined) return xml(response, 404, '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>');
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
  const slice = from === undefined ? found : found.subarray(Number(from), to === undefined || to === '' ? undefined : Number(to) + 1);
  response.writeHead(from === undefined ? 200 : 206, {
    'content-length': slice.length,
    'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
    etag: '"0"',
    ...(from === undefined ? {} : {'content-range': `bytes ${from}-${Number(from) + slice.length - 1}/${found.length}`}),
  });
  response.end(request.method === 'HEAD' ? undefined : slice);
}

function listing(bucket: string, prefix: string, objects: ReadonlyMap<string, Buffer>): string {
  const contents = [...objects]
    .filter(([name]) => name.startsWith(`${bucket.replace(/\/$/, '')}/${prefix}`))
    .map(([name, bytes]) => `<Contents><Key>${name.split('/').slice(2).join('/')}</Key><Size>${bytes.length}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"0"</ETag></Contents>`);
  return `<ListBucketResult><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
}

function xml(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {'content-type': 'application/xml'}).end(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
}
