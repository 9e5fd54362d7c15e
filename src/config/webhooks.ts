export const WEBHOOK_KINDS = ['generic', 'slack', 'wecom', 'feishu', 'dingtalk'] as const;
export type WebhookKind = (typeof WEBHOOK_KINDS)[number];

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

const EVENTS = ['decision_changed', 'digest', 'alert'] as const;

/**
 * Where reports and alerts go.
 *
 *     webhooks:
 *       - {name: ops, url: https://example.com/hook, secrets: [whsec_…]}
 *       - {name: chat, kind: feishu, language: zh, url: https://open.feishu.cn/open-apis/bot/v2/hook/…, secrets: […]}
 */
export type WebhookConfig = {
  /** Unique. */
  readonly name: string;
  readonly kind: WebhookKind;
  /** Of the texts. */
  readonly language: Language;
  readonly url: string;
  /**
   * `generic`: Standard Webhooks' `whsec_…`, two may be live at once. `feishu`, `dingtalk`: the
   * robot's signing secret, when it has one. `slack`, `wecom`: none, the URL is the secret.
   */
  readonly secrets: readonly string[];
  readonly events: readonly (typeof EVENTS)[number][];
  /** Hosts (host or host:port) that may be plain http or private. */
  readonly allow: readonly string[];
};

const KNOWN = ['name', 'kind', 'language', 'url', 'secrets', 'events', 'allow'];

/** Validates the `webhooks` list of the config file; errors are appended, each with its path. */
export function parseWebhooks(value: unknown, errors: string[]): WebhookConfig[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    errors.push('webhooks must be a list of {name, url, secrets}');
    return [];
  }
  const names = new Set<string>();
  return value.flatMap((entry: unknown, index) => {
    const webhook = parseWebhook(entry, `webhooks[${index}]`, errors);
    if (webhook === null) return [];
    if (names.has(webhook.name)) errors.push(`webhooks[${index}].name: ${JSON.stringify(webhook.name)} is used twice; names must be unique`);
    names.add(webhook.name);
    return [webhook];
  });
}

function parseWebhook(entry: unknown, path: string, errors: string[]): WebhookConfig | null {
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) {
    errors.push(`${path} must be a map with name, url and secrets`);
    return null;
  }
  const fields = entry as Readonly<Record<string, unknown>>;
  const before = errors.length;
  for (const key of Object.keys(fields)) if (!KNOWN.includes(key)) errors.push(`${path}.${key} is not known; use ${KNOWN.join(', ')}`);
  const {name, url} = fields;
  if (typeof name !== 'string' || name === '') errors.push(`${path}.name must be text`);
  // The value is not shown: chat services keep their token in it.
  if (typeof url !== 'string' || !URL.canParse(url)) errors.push(`${path}.url must be a URL such as https://example.com/hook`);
  const kind = choice(fields['kind'] ?? 'generic', {choices: WEBHOOK_KINDS, path: `${path}.kind`, errors});
  const language = choice(fields['language'] ?? 'en', {choices: LANGUAGES, path: `${path}.language`, errors});
  const secrets = stringList(fields['secrets'] ?? [], `${path}.secrets`, errors);
  if (kind !== null) checkSecrets(secrets, {kind, path: `${path}.secrets`, errors});
  const events = stringList(fields['events'] ?? [...EVENTS], `${path}.events`, errors);
  if (events.some(event => !EVENTS.includes(event as never))) errors.push(`${path}.events must be of ${EVENTS.join(', ')}`);
  const allow = stringList(fields['allow'] ?? [], `${path}.allow`, errors);
  if (errors.length > before || kind === null || language === null) return null;
  return {name: String(name), kind, language, url: String(url), secrets, events: events as WebhookConfig['events'], allow};
}

type Place = {readonly path: string; readonly errors: string[]};

function choice<Value extends string>(value: unknown, {choices, path, errors}: Place & {readonly choices: readonly Value[]}): Value | null {
  const found = choices.find(one => one === value);
  if (found === undefined) errors.push(`${path} must be one of ${choices.join(', ')}, got ${JSON.stringify(value)}`);
  return found ?? null;
}

/** What kind of secrets a kind of webhook has. No secret is ever shown. */
function checkSecrets(secrets: readonly string[], {kind, path, errors}: Place & {readonly kind: WebhookKind}): void {
  if (kind === 'generic') {
    if (secrets.length === 0 || secrets.length > 2) errors.push(`${path} must hold one or two secrets`);
    if (secrets.some(secret => !/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(secret))) {
      errors.push(`${path} must look like whsec_ and at least 24 bytes in base64`);
    }
  } else if (kind === 'slack' || kind === 'wecom') {
    if (secrets.length > 0) errors.push(`${path} must be left out: a ${kind} webhook has no secret but its URL`);
  } else if (secrets.length > 1 || secrets.some(secret => secret.trim() === '')) {
    errors.push(`${path} must hold the one signing secret of the ${kind} robot, or be left out when it has none`);
  }
}

function stringList(value: unknown, path: string, errors: string[]): string[] {
  const list = typeof value === 'string' ? [value] : value;
  if (Array.isArray(list) && list.every(part => typeof part === 'string')) return list as string[];
  errors.push(`${path} must be a list of text`);
  return [];
}
