import { randomBytes } from 'node:crypto';

/** How a registry, or what it keeps its blobs on, takes `Range`. */
export interface RangeModes {
  /** What several ranges in one request are answered: everything with 200, or an error. Default: a part for each. */
  readonly several?: 'whole' | { readonly status: number; readonly message: string };
  /** Whether each request gets everything, with 200. */
  readonly unknown?: boolean;
  /** Stands between parts. Default: random, as with Go's http.ServeContent. */
  readonly boundary?: string;
}

/** A part of a body, the end not in it. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/** What is sent of a body; headers as they differ from those of everything. */
export interface PartialAnswer {
  readonly status: number;
  readonly message?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** RFC 9110, "Range Requests", as Go's http.ServeContent reads it; undefined where more bytes are asked for than there are. */
function partsOf(header: string, size: number): readonly Part[] | 'unsatisfiable' | 'malformed' | undefined {
  const words = /^bytes=(.*)$/.exec(header)?.[1]?.split(',');
  if (words === undefined) return 'malformed';
  const parts: Part[] = [];
  for (const word of words) {
    const [, first = '', last = ''] = /^\s*(\d*)-(\d*)\s*$/.exec(word) ?? [];
    if (first === '' && last === '') return 'malformed';
    const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
    if (start < end) parts.push({ start, end });
    else if (first !== '' && last !== '' && Number(last) < start) return 'malformed';
  }
  if (parts.length === 0) return 'unsatisfiable';
  const asked = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  return asked > size ? undefined : parts;
}

/** The answer to a request with `Range`; undefined where everything is sent. */
export function partialAnswer(
  body: Buffer,
  header: string | undefined,
  mediaType: string,
  { several, unknown, boundary = randomBytes(30).toString('hex') }: RangeModes,
): PartialAnswer | undefined {
  if (header === undefined || unknown) return undefined;
  const size = body.length;
  if (header.includes(',')) {
    if (several === 'whole') return undefined;
    if (several !== undefined) return { ...several, headers: {}, body: Buffer.alloc(0) };
  }
  const parts = partsOf(header, size);
  if (parts === undefined) return undefined;
  const whole = `/${size}`;
  if (parts === 'malformed') return { status: 416, headers: {}, body: Buffer.alloc(0) };
  if (parts === 'unsatisfiable')
    return { status: 416, headers: { 'content-range': `bytes *${whole}` }, body: Buffer.alloc(0) };
  const rangeOf = ({ start, end }: Part): string => `bytes ${start}-${end - 1}${whole}`;
  const [only] = parts;
  if (parts.length === 1 && only)
    return { status: 206, headers: { 'content-range': rangeOf(only) }, body: body.subarray(only.start, only.end) };
  const pieces = parts.flatMap((part, index) => [
    Buffer.from(
      `${index > 0 ? '\r\n' : ''}--${boundary}\r\nContent-Range: ${rangeOf(part)}\r\nContent-Type: ${mediaType}\r\n\r\n`,
    ),
    body.subarray(part.start, part.end),
  ]);
  return {
    status: 206,
    // Not quoted, whatever is in it: CloudFront has colons there.
    headers: { 'content-type': `multipart/byteranges; boundary=${boundary}` },
    body: Buffer.concat([...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
