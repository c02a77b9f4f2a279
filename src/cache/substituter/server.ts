import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UserError } from '../../core/error.ts';
import { systemCode } from '../../core/file-error.ts';
import type { Log } from '../../core/log.ts';
import { writeChunk } from '../../core/stream.ts';
import { STORE } from '../../definition/store-path.ts';
import { type CachedPath, packedSize } from '../cache-index.ts';
import { type FileOfPack, readFrame } from '../pack-reader.ts';
import { CheckedPaths, packsOf } from './checked-paths.ts';
import { ExpectedPaths } from './expected-paths.ts';
import type { PackFiles } from './pack-files.ts';
import { type Asked, parseAsked, type ServedIndex } from './served-index.ts';
import type { Statistics } from './statistics.ts';

/**
 * Nix asks the cache with the smallest number first. cache.nixos.org has 40, Cachix 41, and 50 is what a cache has that says
 * nothing: all of them come before this one, which then is asked for nothing that they have.
 */
const PRIORITY = 100;

const CACHE_INFO = `StoreDir: ${STORE}\nWantMassQuery: 1\nPriority: ${PRIORITY}\n`;

/**
 * Milliseconds that a request for a NAR is held until its packs are here: less than the 300 s (`stalled-download-timeout`)
 * after which Nix gives up by itself, and with that the build.
 */
const PATIENCE = 240_000;

/** Milliseconds that a connection may be quiet: longer than Nix takes to unpack a path before it asks for the next. */
const KEEP_ALIVE = 300_000;

interface ServerOptions {
  readonly index: ServedIndex;
  readonly packs: PackFiles;
  readonly statistics: Statistics;
  readonly log: Pick<Log, 'debug' | 'info' | 'warn'>;
  /** First part of every path. */
  readonly secret: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly patience?: number;
}

/** A binary cache that answers on the loopback address. */
interface CacheServer {
  /** With the secret, without a slash at the end. */
  readonly url: string;
  /** `performance.now()` of the last request; of its start where there was none. */
  lastAsked(): number;
  /** Ends all connections. What Nix was about to get it builds (`fallback = true`). */
  close(): Promise<void>;
}

/** Compares in a time that says nothing about the secret. */
const createSecretCheck = (secret: string): ((given: string) => boolean) => {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = hash(secret);
  return (given) => timingSafeEqual(hash(given), expected);
};

function nothing(response: ServerResponse): void {
  response.writeHead(404, { 'content-length': 0 }).end();
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

/** Answers requests. Whatever goes wrong before the status line is a 404, the one answer after which Nix builds at once. */
class Answerer {
  readonly #options: ServerOptions;
  readonly #isSecret: (given: string) => boolean;
  readonly #checked: CheckedPaths;
  readonly #expected: ExpectedPaths;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#checked = new CheckedPaths(options.packs);
    this.#expected = new ExpectedPaths(options.index);
    this.#isSecret = createSecretCheck(options.secret);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = this.#read(request);
    if (asked === undefined) return nothing(response);
    if (asked.kind === 'cache-info') return sendText(response, 'text/x-nix-cache-info', CACHE_INFO);
    const path = this.#options.index.find(asked.hash);
    if (asked.kind === 'narinfo') return this.#narinfo(path, response);
    if (path === undefined) return nothing(response);
    await this.#nar(path, response);
  }

  #read({ method, url = '' }: IncomingMessage): Asked | undefined {
    const [empty, secret = '', ...parts] = (url.split('?', 1)[0] ?? '').split('/');
    // Compared in any case, so that no answer comes sooner than another.
    const isOurs = this.#isSecret(secret);
    if (!isOurs || empty !== '' || (method !== 'GET' && method !== 'HEAD')) return undefined;
    return parseAsked(parts);
  }

  #narinfo(path: CachedPath | undefined, response: ServerResponse): void {
    const { index, packs, statistics } = this.#options;
    statistics.asked(path);
    if (path === undefined) {
      packs.missed();
      nothing(response);
      return;
    }
    packs.hint(this.#expected.after(path).map((each) => ({ numbers: packsOf(each.path), height: each.height })));
    this.#checked.tell(path, this.#expected.heightOf(path));
    sendText(response, 'text/x-nix-narinfo', index.narinfo(path));
  }

  async #nar(path: CachedPath, response: ServerResponse): Promise<void> {
    const { packs, statistics, log, patience = PATIENCE } = this.#options;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(patience)]);
    const isServed = await packs.use(packsOf(path), signal, async (fileOf) => {
      const fault = await this.#checked.faultOf(path, fileOf);
      if (gone.signal.aborted) return true;
      if (fault === undefined) await this.#send(path, fileOf, response);
      else log.warn(`a path of the cache is not used, it is built again: ${fault}`);
      return fault === undefined;
    });
    if (isServed) return;
    statistics.lost(path);
    nothing(response);
  }

  async #send(path: CachedPath, fileOf: FileOfPack, response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/x-nix-nar', 'content-length': packedSize(path) });
    if (response.req.method === 'HEAD') return void response.end();
    for await (const chunk of readFrame(path.pieces, fileOf)) await writeChunk(response, chunk);
    response.end();
    this.#options.statistics.served(path);
  }
}

/** Starts to serve on the loopback address. Throws UserError `input` when the port is taken. */
export async function serveCache(options: ServerOptions): Promise<CacheServer> {
  const { log, secret, port } = options;
  const answerer = new Answerer(options);
  let lastAsked = performance.now();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE, requestTimeout: 0 }, (request, response) => {
    lastAsked = performance.now();
    answerer.answer(request, response).catch((error: unknown) => {
      // Nix went away, or a file could not be read: nobody gets a wrong end.
      log.debug(`a request was not answered: ${error instanceof Error ? error.message : String(error)}`);
      if (response.headersSent) response.destroy();
      else nothing(response);
    });
  });
  // What is not HTTP gets no answer.
  server.on('clientError', (_error, socket) => socket.destroy());
  await listen(server, port);
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}/${secret}`,
    lastAsked: () => lastAsked,
    close: async () => {
      options.packs.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new UserError(
      'input',
      `cannot listen on port ${port} of 127.0.0.1: ${systemCode(error) ?? 'unknown error'}`,
      {
        hint: 'Choose another port, or 0 for any that is free.',
        cause: error,
      },
    );
  }
}
