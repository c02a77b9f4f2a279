import { z } from 'zod';
import { tryDecodeJson } from '../../core/decode-json.ts';
import { type ErrorCode, UserError } from '../../core/error.ts';
import { lookUp } from '../../core/lookup.ts';
import { plainLine } from '../../core/printable.ts';
import { MissingBlobError } from '../destination.ts';
import { redactUrl } from './endpoint.ts';
import { readCapped } from './fetch/response-body.ts';
import { sayingOf } from './sayings.ts';
import type { Reply } from './send.ts';

/** distribution-spec, "Error codes"; `detail` is whatever a registry likes. */
const errorSchema = z.looseObject({
  code: z.string().optional(),
  message: z.string().optional(),
  detail: z.unknown().optional(),
});

const errorBodySchema = z.looseObject({ errors: z.array(errorSchema) });

/** Quay and Artifactory put the reason there, and a word that says nothing into `message`. */
const detailSchema = z.union([
  z.string(),
  z.looseObject({ message: z.string() }).transform(({ message }) => message),
  z.looseObject({ description: z.string() }).transform(({ description }) => description),
]);

/** An error in one line: `MANIFEST_INVALID: manifest invalid: no such layer`. */
function shownError({ code, message, detail }: z.infer<typeof errorSchema>): string {
  const reason = detailSchema.safeParse(detail).data;
  return [code, message, reason === message ? undefined : reason].filter(Boolean).join(': ');
}

const BODY_LIMIT = 1024;

// A date has 29 characters.
const WAIT_LIMIT = 40;

/** A registry's answer that is not success, as data: the `cause` of the UserError that a person sees. */
class RegistryFailure extends Error {
  override readonly name = 'RegistryFailure';
  readonly status: number;
  /** The registry's own error codes, such as MANIFEST_BLOB_UNKNOWN; empty when it sent none. */
  readonly codes: readonly string[];

  constructor(message: string, status: number, codes: readonly string[]) {
    super(message);
    this.status = status;
    this.codes = codes;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  MANIFEST_BLOB_UNKNOWN:
    'A blob of the image is not in the repository: it was deleted there, or its upload was lost. Run again; it is sent then.',
  NAME_UNKNOWN: 'The repository does not exist. Check its name, or create it first if the registry wants that.',
  NAME_INVALID: 'The registry does not take this repository name. Check how it wants names to be built.',
  DENIED: 'The credentials do not allow this on the repository. Give them push (write) access, or check the name.',
  UNAUTHORIZED:
    'Log in (docker login, podman login) with credentials that may use this repository. Docker Hub and Quay answer this, too, for one that does not exist.',
  TOOMANYREQUESTS: 'The registry limits how often it may be asked. Log in, wait, or ask for a higher limit.',
  DIGEST_INVALID: 'The bytes changed on their way. Run again; if it comes back, check the network and proxies.',
  SIZE_INVALID: 'The bytes changed on their way. Run again; if it comes back, check the network and proxies.',
  UNSUPPORTED: 'The registry does not support this operation. Check its settings (read-only, deletes, media types).',
  MANIFEST_INVALID: 'The registry does not take this manifest. It may not support OCI images, or this compression.',
  BLOB_UPLOAD_UNKNOWN:
    'The registry forgot the upload. Run again; if it comes back, its replicas do not share uploads.',
};

const STATUS_HINTS: Readonly<Record<number, string>> = {
  401: HINTS.UNAUTHORIZED ?? '',
  403: HINTS.DENIED ?? '',
  404: 'Check the registry, the name of the repository and the tag.',
  405: HINTS.UNSUPPORTED ?? '',
  413: 'A proxy in front of the registry limits the size of a request. Raise that limit (client_max_body_size).',
  429: HINTS.TOOMANYREQUESTS ?? '',
};

/** What is said of logins and limits of all registries. */
function docsFor(code: ErrorCode, status: number): string | undefined {
  if (code === 'credentials') return 'registries.md#logins';
  return status === 429 ? 'registries.md#limits-of-requests' : undefined;
}

const SERVER_HINT = 'The registry itself failed. Look at its status page or log, and run again.';

function errorCode(status: number, codes: readonly string[]): ErrorCode {
  if (status === 401 || status === 403) return 'credentials';
  return codes.includes('DIGEST_INVALID') || codes.includes('SIZE_INVALID') ? 'digest' : 'registry';
}

function explain(body: string): { codes: string[]; text: string } {
  const answer = tryDecodeJson(body, errorBodySchema);
  if (answer === undefined) return { codes: [], text: body };
  const text = answer.errors.map(shownError).join('; ');
  return { codes: answer.errors.flatMap(({ code }) => (code === undefined ? [] : [code])), text };
}

/** Text of the registry's in one line. */
const shown = (text: string, limit: number): string => plainLine(text).replace(/ +/g, ' ').trim().slice(0, limit);

/** What registries say of a manifest that names what they do not have; the last of a child of an index that is put. */
const MISSING_BLOB: readonly string[] = ['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN'];

/** Turns a reply that is not success into the error a person sees. Reads at most 1 KiB of the body for it. */
export async function failureOf({
  response,
  method,
  url,
  tried = { origin: 'none: the registry did not ask for any' },
}: Pick<Reply, 'response' | 'method' | 'url' | 'tried'>): Promise<UserError> {
  const bytes = await readCapped(response, BODY_LIMIT).catch(() => Buffer.alloc(0));
  const { codes, text } = explain(bytes.toString('utf8'));
  const { status } = response;
  const said = shown(text, BODY_LIMIT);
  const wait = shown(response.headers.get('retry-after') ?? '', WAIT_LIMIT);
  const message = `${method} ${redactUrl(url)} answered ${status}${said && `: ${said}`}${wait && `; Retry-After: ${wait}`}`;
  const saying = sayingOf(status, codes, said);
  const code = saying?.code ?? errorCode(status, codes);
  const hint =
    saying?.hint ??
    (code === 'credentials' ? tried.hint : undefined) ??
    codes.map((name) => lookUp(HINTS, name)).find(Boolean) ??
    STATUS_HINTS[status] ??
    (status >= 500 ? SERVER_HINT : undefined);
  const credentials = code === 'credentials' ? ` (credentials tried: ${tried.origin})` : '';
  const isMissing = method === 'PUT' && codes.some((name) => MISSING_BLOB.includes(name));
  const Failure = isMissing ? MissingBlobError : UserError;
  return new Failure(code, `${message}${credentials}`, {
    hint,
    docs: saying ? saying.docs : docsFor(code, status),
    cause: new RegistryFailure(message, status, codes),
  });
}

function failureIn(error: unknown): RegistryFailure | undefined {
  const cause = error instanceof UserError ? error.cause : error;
  return cause instanceof RegistryFailure ? cause : undefined;
}

/** HTTP status of the answer behind an error; undefined when no answer is behind it. */
export const statusOf = (error: unknown): number | undefined => failureIn(error)?.status;
