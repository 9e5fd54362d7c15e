import {once} from 'node:events';
import {connect, createServer, type Server, type Socket} from 'node:net';
import type {AddressInfo} from 'node:net';

/**
 * - `pass`: as if it were not there;
 * - `refuse`: connections are reset at once;
 * - `hang`: bytes go nowhere, nothing is closed;
 * - `lose-answers`: requests get through, answers are cut off;
 * - `slow`: answers wait.
 */
export type ProxyMode = 'pass' | 'refuse' | 'hang' | 'lose-answers' | 'slow';

/** A TCP connection that misbehaves on demand, between a client and a server that know nothing of it. */
export class FaultProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #mode: ProxyMode = 'pass';
  #delayMs = 0;
  /** Connections and answers that were disturbed. */
  disturbed = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(target: {readonly host: string; readonly port: number}): Promise<FaultProxy> {
    const server = createServer();
    const proxy = new FaultProxy(server);
    server.on('connection', client => proxy.#serve(client, target));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set(mode: ProxyMode, delayMs = 0): void {
    this.#mode = mode;
    this.#delayMs = delayMs;
    if (mode !== 'refuse') return;
    this.disturbed += this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket, target: {readonly host: string; readonly port: number}): void {
    if (this.#mode === 'refuse') {
      this.disturbed++;
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', chunk => {
      if (this.#mode === 'hang') this.disturbed++;
      else upstream.write(chunk);
    });
    upstream.on('data', chunk => this.#answer(client, chunk));
  }

  #answer(client: Socket, chunk: Buffer): void {
    switch (this.#mode) {
      case 'hang':
        this.disturbed++;
        return;
      case 'lose-answers':
        this.disturbed++;
        client.destroy();
        return;
      case 'slow':
        this.disturbed++;
        setTimeout(() => client.write(chunk), this.#delayMs);
        return;
      default:
        client.write(chunk);
    }
  }
}
