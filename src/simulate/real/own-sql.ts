import {once} from 'node:events';
import {type IncomingMessage, request} from 'node:http';
import {createInterface} from 'node:readline';
import {messageOf} from '../../core/errors.ts';

const TEXT_SHOWN = 300;

/** The checker's own connection: plain HTTP, none of the code under test. */
export class OwnSql {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async rows(sql: string): Promise<unknown[][]> {
    const rows: unknown[][] = [];
    // A million facts are read one line at a time.
    for await (const line of createInterface({input: await this.#ask(`${sql} FORMAT JSONCompactEachRow`)})) {
      if (line !== '') rows.push(JSON.parse(line) as unknown[]);
    }
    return rows;
  }

  async run(sql: string): Promise<string> {
    return textOf(await this.#ask(sql));
  }

  /** Waits as long as the engine takes: `fetch` gives up after five minutes without a first byte. */
  async #ask(sql: string): Promise<IncomingMessage> {
    const asked = request(`${this.#url}/`, {method: 'POST'});
    try {
      asked.end(sql);
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      if (response.statusCode !== 200) throw new Error(await textOf(response));
      return response;
    } catch (error) {
      throw new Error(`the checker's statement failed: ${messageOf(error).slice(0, TEXT_SHOWN)}: ${sql.slice(0, TEXT_SHOWN)}`, {cause: error});
    }
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** A name of the harness's own making inside a statement. */
export const quoted = (name: string): string => `'${name.replaceAll(/[\\']/g, '')}'`;
