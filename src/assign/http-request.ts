import type {AssignRequest} from './assign.ts';

type Values = Readonly<Record<string, unknown>>;
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * What an HTTP request says about a unit. A service that asks for somebody else names what
 * it knows as `attribute.NAME`, `header.NAME` and `session.NAME` in the query; otherwise the
 * request's own headers count, and its cookies are the session. Every other parameter of the
 * query may be an override by query.
 */
export function assignRequestOf(unitId: string, {query, headers}: {readonly query: Values; readonly headers: Headers}): AssignRequest {
  const parts: Record<'attribute' | 'header' | 'session' | 'query', Record<string, string>> = {attribute: {}, header: {}, session: {}, query: {}};
  for (const [key, value] of Object.entries(query)) {
    if (typeof value !== 'string') continue;
    const [, kind, name] = /^(attribute|header|session)\.(.+)$/.exec(key) ?? [];
    if (kind === undefined || name === undefined) parts.query[key] = value;
    else parts[kind as 'attribute' | 'header' | 'session'][name] = value;
  }
  return {
    unitId,
    attributes: parts.attribute,
    headers: {...ownHeaders(headers), ...lowerCased(parts.header)},
    query: parts.query,
    session: {...cookiesOf(headers['cookie']), ...parts.session},
  };
}

function ownHeaders(headers: Headers): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') own[name.toLowerCase()] = value;
  return own;
}

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** RFC 6265: `a=1; b="2"`. The first of a name counts, as browsers send the most specific path first. */
function cookiesOf(header: Headers[string]): Record<string, string> {
  const cookies: Record<string, string> = {};
  for (const pair of typeof header === 'string' ? header.split(';') : []) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (at < 1 || name in cookies) continue;
    cookies[name] = decoded(pair.slice(at + 1).trim().replace(/^"(.*)"$/, '$1'));
  }
  return cookies;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
