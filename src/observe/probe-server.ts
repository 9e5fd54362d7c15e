import {createServer, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {AssayError, messageOf} from '../core/errors.ts';

export type ProbeOptions = {
  readonly host: string;
  readonly port: number;
  readonly metrics: {readonly render: () => Promise<string>; readonly contentType: string};
  /** What keeps the process from being ready; empty when it is. */
  readonly unready: () => Promise<readonly string[]>;
};

export type ProbeServer = {readonly url: string; close(): Promise<void>};

/** A probe is one short line; whoever sends more slowly than this is not one. */
const REQUEST_MS_MAX = 5_000;

/**
 * What an orchestrator and Prometheus ask of a role that has no HTTP server of its
 * own: `/healthz` (the process turns), `/readyz` (it can do its work), `/metrics`.
 */
export async function openProbeServer({host, port, metrics, unready}: ProbeOptions): Promise<ProbeServer> {
  const server = createServer({requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX}, (request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || !['/healthz', '/readyz', '/metrics'].includes(path ?? '')) return answer(response, 404, {status: 'there is nothing here but /healthz, /readyz and /metrics'});
    if (path === '/healthz') return answer(response, 200, {status: 'ok'});
    const work = path === '/metrics' ? showMetrics(response, metrics) : showReadiness(response, unready);
    work.catch((error: unknown) => answer(response, 500, {status: messageOf(error)}));
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `metrics and probes cannot be served on ${host}:${port} (${messageOf(error)}); choose another observe.port`, {cause: error});
  }
  const {port: taken} = server.address() as AddressInfo;
  return {
    url: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${taken}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function showMetrics(response: ServerResponse, metrics: ProbeOptions['metrics']): Promise<void> {
  const text = await metrics.render();
  response.writeHead(200, {'content-type': metrics.contentType}).end(text);
}

async function showReadiness(response: ServerResponse, unready: ProbeOptions['unready']): Promise<void> {
  const reasons = await unready();
  answer(response, reasons.length === 0 ? 200 : 503, {status: reasons.length === 0 ? 'ready' : 'not ready', reasons});
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return void response.end();
  response.writeHead(status, {'content-type': 'application/json'}).end(`${JSON.stringify(body)}\n`);
}
