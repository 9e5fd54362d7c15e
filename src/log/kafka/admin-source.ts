import type {Admin} from 'kafkajs';

/** Where questions about topics go. */
export type AdminSource = {
  readonly current: Admin;
  /** Another client takes the place of `stale`, if that still is the current one. */
  renew(stale: Admin): Promise<void>;
};

/**
 * An admin client that can be exchanged. kafkajs looks up all topics together that a client was ever asked
 * about; once one of them is deleted, it answers every question about any other with UNKNOWN_TOPIC_OR_PARTITION.
 */
export class Admins implements AdminSource {
  readonly #open: () => Promise<Admin>;
  #current: Admin;
  /** May still be answering; closed when the next one is. */
  #retired: Admin | undefined;
  #renewing: Promise<void> | undefined;

  constructor(first: Admin, open: () => Promise<Admin>) {
    this.#current = first;
    this.#open = open;
  }

  get current(): Admin {
    return this.#current;
  }

  async renew(stale: Admin): Promise<void> {
    if (stale !== this.#current) return;
    this.#renewing ??= this.#exchange().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async disconnect(): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    await Promise.allSettled([this.#current.disconnect(), this.#retired?.disconnect()]);
  }

  async #exchange(): Promise<void> {
    const fresh = await this.#open();
    this.#retired?.disconnect().catch(() => undefined);
    this.#retired = this.#current;
    this.#current = fresh;
  }
}
