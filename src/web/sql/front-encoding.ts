import {type Duplex, PassThrough, Transform} from 'node:stream';
import zlib from 'node:zlib';
import {promisify} from 'node:util';
import {SqlEngineError} from '../../warehouse/sql-executor.ts';
import {loadLz4, loadZstd} from './optional-codecs.ts';
import {zstdBytesMax} from './zstd-bound.ts';

/** Content codings of the HTTP front. */

const gzip = promisify(zlib.gzip);
const deflate = promisify(zlib.deflate);
const brotli = promisify(zlib.brotliCompress);
/** Below this an encoded answer is hardly smaller. */
const ENCODE_BYTES_MIN = 1_024;

/**
 * @param bytesMax of the decoded body, for codecs that unfold it at once
 * @throws SqlEngineError for a coding that is not known
 */
export function decoderFor(encoding: string, bytesMax: number): Duplex {
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
      return zstdDecoder(bytesMax);
    default:
      throw new SqlEngineError(89, `Unknown compression method: ${encoding}`);
  }
}

export async function encodeBody(body: Uint8Array, acceptEncoding: string): Promise<{body: Uint8Array; encoding: string | null}> {
  if (body.length < ENCODE_BYTES_MIN) return {body, encoding: null};
  const accepted = acceptedCodings(acceptEncoding);
  if (accepted.has('gzip')) return {body: await gzip(body, {level: 1}), encoding: 'gzip'};
  if (accepted.has('deflate')) return {body: await deflate(body, {level: 1}), encoding: 'deflate'};
  if (accepted.has('zstd')) {
    const codec = await loadZstd();
    if (codec !== null) return {body: await codec.compress(Buffer.from(body)), encoding: 'zstd'};
  }
  if (accepted.has('lz4')) {
    const codec = await loadLz4();
    if (codec !== null) return {body: codec.compressFrameSync(Buffer.from(body)), encoding: 'lz4'};
  }
  if (accepted.has('br')) return {body: await brotli(body, {params: {[zlib.constants.BROTLI_PARAM_QUALITY]: 1}}), encoding: 'br'};
  return {body, encoding: null};
}

/** Without those that the client gives a weight of 0. */
function acceptedCodings(acceptEncoding: string): ReadonlySet<string> {
  const parts = acceptEncoding.toLowerCase().split(',').map(part => part.split(';').map(word => word.trim()));
  return new Set(parts.filter(([, ...weights]) => !weights.some(weight => /^q=0(\.0*)?$/.test(weight))).map(([coding = '']) => coding));
}

/** The package works on whole buffers, so the body is collected. */
function zstdDecoder(bytesMax: number): Duplex {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const tooLong = new SqlEngineError(271, `a zstd body that is not whole, or may hold more than ${bytesMax} bytes`);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      bytes += chunk.length;
      done(bytes > bytesMax ? tooLong : null);
    },
    flush(done) {
      loadZstd()
        .then(codec => {
          if (codec === null) throw new SqlEngineError(89, 'zstd bodies need the optional package @mongodb-js/zstd');
          const packed = Buffer.concat(chunks);
          if (zstdBytesMax(packed) > bytesMax) throw tooLong;
          return codec.decompress(packed);
        })
        .then(
          data => done(null, data),
          (error: Error) => done(error),
        );
    },
  });
}
