import type http from 'node:http';

/** What decides about an answer before its body is there. */
export interface Head {
  status: number;
  retryAfter: string | undefined;
  location: string | undefined;
  /** When it was answered, by the server's clock. */
  dateMs?: number | undefined;
}

/** What decides on an answer before its body is read. */
export function headOf({ statusCode = 0, headers }: http.IncomingMessage): Head {
  const dateMs = Date.parse(headers.date ?? '');
  return {
    status: statusCode,
    retryAfter: headers['retry-after'],
    location: headers.location,
    ...(Number.isNaN(dateMs) ? {} : { dateMs }),
  };
}

/** Where somebody between us and the API server wants to see us log in; without its query, which may hold a secret. */
export function redirectTarget(location: string | undefined): string {
  if (location === undefined || !URL.canParse(location)) return 'another page';
  const { origin, pathname } = new URL(location);
  return `${origin}${pathname}`;
}

const MAX_WARNINGS = 5;

/** Texts of a `Warning` header: `299 - "unknown field \"spec.foo\""`, several separated by commas. */
export function warningsIn(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  const text = Array.isArray(header) ? header.join(', ') : header;
  return [...text.slice(0, 4096).matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)]
    .slice(0, MAX_WARNINGS)
    .map(([, words = '']) => words.replace(/\\(.)/g, '$1'));
}

const MAX_REFUSAL_BYTES = 64 * 1024;

/** The whole body; of a refusal, its beginning. */
export async function bodyText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const refused = (response.statusCode ?? 0) >= 400;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (refused && size > MAX_REFUSAL_BYTES) continue;
    chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}
