/** Where reports and alerts go. Secrets are Standard Webhooks' `whsec_…`; two may be live at once. */
export type WebhookConfig = {
  readonly name: string;
  readonly url: string;
  readonly secrets: readonly string[];
  readonly events: readonly ('decision_changed' | 'digest' | 'alert')[];
  /** Hosts (host or host:port) that may be plain http or private. */
  readonly allow: readonly string[];
};

const EVENTS = ['decision_changed', 'digest', 'alert'] as const;

/** Validates the `webhooks` list of the config file; errors are appended, each with its path. */
export function parseWebhooks(value: unknown, errors: string[]): WebhookConfig[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    errors.push('webhooks must be a list of {name, url, secrets}');
    return [];
  }
  return value.flatMap((entry: unknown, index) => {
    const webhook = parseWebhook(entry, `webhooks[${index}]`, errors);
    return webhook === null ? [] : [webhook];
  });
}

function parseWebhook(entry: unknown, path: string, errors: string[]): WebhookConfig | null {
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) {
    errors.push(`${path} must be a map with name, url and secrets`);
    return null;
  }
  const {name, url, secrets, events, allow, ...rest} = entry as Record<string, unknown>;
  const before = errors.length;
  for (const key of Object.keys(rest)) errors.push(`${path}.${key} is not known; use name, url, secrets, events, allow`);
  if (typeof name !== 'string' || name === '') errors.push(`${path}.name must be text`);
  if (typeof url !== 'string' || !URL.canParse(url)) errors.push(`${path}.url must be a URL such as https://example.com/hook`);
  const secretList = stringList(secrets, `${path}.secrets`, errors);
  if (secretList.length === 0 || secretList.length > 2) errors.push(`${path}.secrets must hold one or two secrets`);
  if (secretList.some(secret => !/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(secret))) {
    errors.push(`${path}.secrets must look like whsec_ and at least 24 bytes in base64`);
  }
  const eventList = events === undefined ? [...EVENTS] : stringList(events, `${path}.events`, errors);
  if (eventList.some(event => !EVENTS.includes(event as never))) errors.push(`${path}.events must be of ${EVENTS.join(', ')}`);
  const allowList = stringList(allow ?? [], `${path}.allow`, errors);
  if (errors.length > before) return null;
  return {name: name as string, url: url as string, secrets: secretList, events: eventList as WebhookConfig['events'], allow: allowList};
}

function stringList(value: unknown, path: string, errors: string[]): string[] {
  const list = typeof value === 'string' ? [value] : value;
  if (Array.isArray(list) && list.every(part => typeof part === 'string')) return list as string[];
  errors.push(`${path} must be a list of text`);
  return [];
}
