/** Whether the value of If-None-Match names this entity tag (RFC 9110 §13.1.2): a list, compared weakly, or `*`. */
export function namesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const named = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return named.some(one => one.replace(/^W\//, '') === etag.replace(/^W\//, ''));
}
