import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuthOptions, Authority } from './auth.ts';
import { type Fault, FaultPlan } from './faults.ts';
import type { RangeModes } from './ranges.ts';
import { RateLimit } from './rate-limit.ts';
import { handle } from './routes.ts';
import { RegistryStore } from './store.ts';

export interface EmulatorOptions {
  readonly auth?: AuthOptions;
  /** What a mount is answered: 201, or 202 with an upload; `named`: 201 for what a manifest there names. */
  readonly mount?: 'mounted' | 'upload' | 'named';
  /** `plain` is absolute with http even where TLS is spoken. */
  readonly location?: 'relative' | 'absolute' | 'plain';
  /** OCI-Chunk-Min-Length, in bytes. */
  readonly minimumChunk?: number;
  /** The largest body with Content-Range, in bytes: 416 above it. */
  readonly largestChunk?: number;
  /** Bytes of each body with Content-Range but the last, without announcing it: what is smaller ends the connection at the next one. */
  readonly parts?: { readonly smallest: number; readonly largest: number };
  /** Whether an upload takes one PATCH only. */
  readonly takesOnePatch?: boolean;
  /** Whether bytes are taken in a PATCH only: a PUT that brings them is answered 404. */
  readonly needsPatch?: boolean;
  /** Whether an upload in chunks keeps the last of them, and ends well all the same. */
  readonly keepsLastChunk?: boolean;
  /** Whether an upload whose connection broke is gone: 404 for whatever follows. */
  readonly endsBrokenUploads?: boolean;
  /** Whether a mount is refused outright, and with which status. */
  readonly refusesMounts?: number;
  /** Bytes of blobs that there is room for; 403 in Harbor's words above that. */
  readonly quota?: number;
  /** Whether an index may name manifests of its own kind only (OCI's, Docker's). */
  readonly wantsPureIndexes?: boolean;
  /** Whether a manifest that does not exist is answered 403. */
  readonly deniesMissing?: boolean;
  /** Whether a manifest that exists is not shown, with 412, because a policy forbids it. */
  readonly hidesByPolicy?: boolean;
  /** Milliseconds, as `now` counts them, after which the registry sees manifests and blobs that it took. */
  readonly lag?: { readonly milliseconds: number; readonly now: () => number };
  /** What GETs of manifests are told of the pulls that are left; 429 when there are none. */
  readonly pulls?: { readonly limit: number; remaining: number };
  /** Whether the status of an upload is answered 404. */
  readonly hidesUploads?: boolean;
  /** Whether Range stays at the end of the first part, although all arrived. */
  readonly hasStuckRange?: boolean;
  /** Whether a PATCH is answered 201, and a manifest that is taken without Location. */
  readonly isTerse?: boolean;
  /** What each Location has in its query, which must come back byte for byte. */
  readonly locationQuery?: string;
  /** Another origin to which each POST is sent on, and with which status. */
  readonly sendsUploadsTo?: { readonly origin: string; readonly status: 307 | 308 };
  /** Another origin to which each GET of a blob is sent on, as registries do that keep blobs on an object store. */
  readonly sendsBlobsTo?: string;
  /** How `Range` is taken. Default: as RFC 9110 has it, several ranges in parts of their own. */
  readonly ranges?: RangeModes;
  /** Whether and with which status a tag that exists is kept from being put again, and the code in the answer. */
  readonly immutableTags?: { readonly status: number; readonly code: string; readonly message: string };
  /**
   * What DELETE of a manifest does. `tags`: a tag goes alone (distribution 3, zot). `digests`: a tag is answered 400 (distribution 2.8).
   * `whole`: with a tag the manifest goes, and all its tags. `off`: 405, as distribution where deletes are not enabled, and GHCR
   * (containers/skopeo 1880). Default: `tags`.
   */
  readonly deletes?: 'tags' | 'digests' | 'whole' | 'off';
  /** Whether a manifest goes when its last tag is put over another one, unless an index names it (project-zot/zot 4444). */
  readonly forgetsUntagged?: boolean;
  /** Tags on a page, at most. Default: as many as are asked for. */
  readonly tagsPerPage?: number;
  /** Whether manifests are taken whatever they name, as some registries do. */
  readonly takesAnyManifest?: boolean;
  /** Whether it lists referrers (distribution-spec 1.1), so many a page; what it answers to such a request otherwise is 404. */
  readonly referrersPerPage?: number;
  /** What has been done to its referrers API. */
  readonly referrers?: {
    /** PUT of a manifest with a subject is answered without OCI-Subject. */
    readonly noSubjectHeader?: boolean;
    /** A request for one type gets all of them. */
    readonly noFilter?: boolean;
    /** It answers with an empty list, whatever there is. */
    readonly alwaysEmpty?: boolean;
    /** It answers 401 without a challenge. */
    readonly unauthorized?: boolean;
  };
  /** Whether and how manifests are refused whose config is none of a container image. */
  readonly refusesArtifacts?: { readonly status: number; readonly code: string; readonly message: string };
  /** Whether and how manifests with a subject are refused. */
  readonly refusesSubjects?: { readonly status: number; readonly code: string; readonly message: string };
  /** Whether `sha256-<hex>` is taken for the digest when it is read. */
  readonly takesTagsForDigests?: boolean;
  /** Reads of a tag answer what it meant so many milliseconds ago, as `now` counts them. */
  readonly staleReads?: { readonly milliseconds: number; readonly now: () => number };
  /** Whether HEAD of a blob is answered 401, whoever asks. */
  readonly refusesBlobHead?: boolean;
  /** Which repositories exist, where they must be made before they are written to, and how an upload to another ends. */
  readonly repositories?: {
    readonly exists: (name: string) => boolean;
    readonly missing: 'refuse' | 'cut' | 'challenge';
  };
  /** Whether a request is one too many, which is answered 429 without a word on when to come back. */
  readonly isOverQuota?: (request: { readonly method: string; readonly path: string }) => boolean;
  /** Speaks TLS. */
  readonly tls?: ServerOptions;
  /** Answers 429 to what is more than so many requests in a window of so many milliseconds, as `now` counts them. */
  readonly rate?: {
    readonly requests: number;
    readonly window: number;
    readonly now: () => number;
    /** Answers in the words of GitHub's secondary limit: 403, and no time to come back. */
    readonly isSecondary?: boolean;
  };
}

export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingMessage['headers'];
  status: number;
}

/** One request on its way through the emulator. */
export interface Exchange {
  readonly request: IncomingMessage;
  /** Kept apart, since a request that ends early lets go of it. */
  readonly socket: Socket;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly host: string;
  readonly fault: Fault | undefined;
  readonly store: RegistryStore;
  readonly authority: Authority;
  readonly options: EmulatorOptions;
}

export interface RegistryEmulator {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly store: RegistryStore;
  readonly requests: readonly LoggedRequest[];
  /** `METHOD path` of each request so far, for comparison. */
  trace(): string[];
  inject(fault: Fault): void;
  /** Ends all faults. */
  mend(): void;
  /** Cuts what is under way; new connections are taken. */
  closeConnections(): void;
  stop(): Promise<void>;
}

/**
 * An in-process registry that is stricter than most: it checks the order of chunks, stale upload URLs, digests and
 * the presence of what a manifest names, and it fails on request.
 */
export const startEmulator = async (options: EmulatorOptions = {}): Promise<RegistryEmulator> => {
  const store = new RegistryStore(options.lag?.now ?? options.staleReads?.now);
  const authority = new Authority(options.auth ?? { scheme: 'none' });
  const faults = new FaultPlan();
  const requests: LoggedRequest[] = [];
  const limit = options.rate && new RateLimit(options.rate);
  const serve: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? '/', `http://${host}`);
    const { socket } = request;
    const method = request.method ?? '';
    const entry = { method, path: url.pathname, query: url.search, headers: request.headers, status: 0 };
    requests.push(entry);
    response.on('close', () => {
      entry.status = response.headersSent ? response.statusCode : 0;
    });
    if (limit?.refuses(response)) return;
    if (options.isOverQuota?.(entry)) {
      response.writeHead(429).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}');
      return;
    }
    const fault = faults.take(method, url.pathname);
    // The client, or the end of the server, closes the connection.
    if (fault?.kind === 'silent') return;
    if (fault?.kind === 'slow') await sleep(fault.milliseconds);
    if (fault?.kind === 'revoke-tokens') authority.revokeAll();
    if (fault?.kind === 'forget-uploads') store.uploads.clear();
    try {
      await handle({ request, socket, response, url, host, fault, store, authority, options });
    } catch {
      // The client went away, or a fault ended the connection.
      socket.destroy();
    }
  };
  const server = options.tls ? createSecureServer(options.tls, serve) : createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    store,
    requests,
    trace: () => requests.map(({ method, path }) => `${method} ${path}`),
    inject: (fault) => faults.add(fault),
    mend: () => faults.clear(),
    closeConnections: () => server.closeAllConnections(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
