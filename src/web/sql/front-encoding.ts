import {type Duplex, PassThrough, Transform} from 'node:stream';
import zlib from 'node:zlib';
import {promisify} from 'node:util';
import {SqlEngineError} from '../../warehouse/sql-executor.ts';

/** Content codings of the HTTP front. zstd is in Node from 22.15 on; before that its optional package does it. */

const gzip = promisify(zlib.gzip);
const deflate = promisify(zlib.deflate);
/** Below this an encoded answer is hardly smaller. */
const ENCODE_BYTES_MIN = 1_024;

/** @throws SqlEngineError for a coding that is not known */
export function decoderFor(encoding: string): Duplex {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return new PassThrough();
    case 'gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'zstd':
      return zstdDecoder();
    default:
      throw new SqlEngineError(89, `Unknown compression method: ${encoding}`);
  }
}

export async function encodeBody(body: Uint8Array, acceptEncoding: string): Promise<{body: Uint8Array; encoding: string | null}> {
  if (body.length < ENCODE_BYTES_MIN) return {body, encoding: null};
  const accepted = new Set(acceptEncoding.split(',').map(part => part.trim().split(';')[0]?.toLowerCase() ?? ''));
  if (accepted.has('gzip')) return {body: await gzip(body, {level: 1}), encoding: 'gzip'};
  if (accepted.has('deflate')) return {body: await deflate(body, {level: 1}), encoding: 'deflate'};
  if (accepted.has('zstd')) {
    const codec = await loadZstd();
    if (codec !== null) return {body: await codec.compress(Buffer.from(body)), encoding: 'zstd'};
  }
  return {body, encoding: null};
}

type ZstdCodec = {compress(data: Buffer): Promise<Buffer>; decompress(data: Buffer): Promise<Buffer>};

async function loadZstd(): Promise<ZstdCodec | null> {
  try {
    return (await import('@mongodb-js/zstd')) as ZstdCodec;
  } catch {
    return null;
  }
}

/** The package works on whole buffers, so the body is collected; the front limits its size. */
function zstdDecoder(): Duplex {
  const chunks: Buffer[] = [];
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
    flush(done) {
      loadZstd()
        .then(codec => {
          if (codec === null) throw new SqlEngineError(89, 'zstd bodies need the optional package @mongodb-js/zstd');
          return codec.decompress(Buffer.concat(chunks));
        })
        .then(
          data => done(null, data),
          (error: Error) => done(error),
        );
    },
  });
}
