/** The checker's own connection: plain HTTP, none of the code under test. */
export class OwnSql {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async rows(sql: string): Promise<unknown[][]> {
    const text = await this.run(`${sql} FORMAT JSONCompactEachRow`);
    return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as unknown[]);
  }

  async run(sql: string): Promise<string> {
    const response = await fetch(`${this.#url}/`, {method: 'POST', body: sql});
    const text = await response.text();
    if (!response.ok) throw new Error(`the checker's statement failed: ${text.slice(0, 300)}`);
    return text;
  }
}

/** A name of the harness's own making inside a statement. */
export const quoted = (name: string): string => `'${name.replaceAll(/[\\']/g, '')}'`;
