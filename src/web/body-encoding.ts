import {Readable} from 'node:stream';
import {createGunzip} from 'node:zlib';
import {ProblemError} from './problem.ts';

type Encoded = {readonly encoding: string | undefined; readonly payload: Readable; readonly bytesMax: number};

/**
 * The body as it was before its `Content-Encoding`. One that unfolds to more than a request
 * may hold is cut off there, however small it came.
 */
export function decodedBody({encoding = 'identity', payload, bytesMax}: Encoded): Readable {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '') return payload;
  if (name !== 'gzip' && name !== 'x-gzip') {
    throw new ProblemError({status: 415, title: 'The encoding is not known', detail: `Content-Encoding ${JSON.stringify(name.slice(0, 80))} is not read here; send gzip, or the body as it is`, headers: {'accept-encoding': 'gzip'}});
  }
  const gunzip = createGunzip();
  payload.on('error', error => gunzip.destroy(error));
  payload.pipe(gunzip);
  // Compared with Content-Length, which counts what was sent.
  return Object.defineProperty(Readable.from(bounded(gunzip, bytesMax)), 'receivedEncodedLength', {get: () => gunzip.bytesWritten});
}

async function* bounded(plain: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of plain) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw Object.assign(new Error('the body unfolds to more than a request may hold'), {statusCode: 413});
      yield chunk;
    }
  } catch (error) {
    if (String((error as {code?: unknown}).code).startsWith('Z_')) throw new ProblemError({status: 400, title: 'The body is wrong', detail: 'it is not the gzip that Content-Encoding says'});
    throw error;
  }
}
