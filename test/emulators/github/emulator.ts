import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type LimitModes, Limits } from './limits.ts';
import { checkPermission, type Permissions } from './permissions.ts';
import { Refusal } from './refusal.ts';
import type { Route } from './route.ts';

/** A fault of one request. */
export interface GitHubFault {
  /** Of which requests: method and path. */
  readonly method: string;
  readonly path: RegExp;
  /** How many it hits. Default: 1. */
  readonly times?: number;
  /** `before`: nothing is done. `after`: what was asked is done, the answer says otherwise. `midway`: an upload is cut off. */
  readonly when: 'before' | 'after' | 'midway';
  /** 0 ends the connection without an answer. */
  readonly status: number;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GitHubOptions {
  /** `OWNER/NAME`; routes of other repositories are 404. */
  readonly repository?: string;
  /** By noun, each from its own file. */
  readonly routes: readonly Route[];
  /** Of the job whose token it is. Default: none. */
  readonly permissions?: Permissions;
  readonly isPublic?: boolean;
  /** The name that the repository had before; its routes are answered 301. */
  readonly formerName?: string;
  /** As on GitHub Enterprise Server: `/api/v3`. Default: none. */
  readonly prefix?: string;
  readonly limits?: LimitModes;
  readonly faults?: readonly GitHubFault[];
  readonly now?: () => number;
  /** What an upload leaves that is cut off. */
  readonly cutUpload?: (name: string) => void;
}

export interface GitHubEmulator {
  /** What a runner sets as GITHUB_API_URL. */
  readonly url: string;
  readonly token: string;
  /** Method, path with query, and status, in order. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** In place of the host `uploads.github.com`. */
export const UPLOADS = '/uploads.github.com/';

const TOKEN = 'ghs_0123456789abcdefghijABCDEFGHIJ012345';

/** The parts of `path` that fit the braces of `template`. */
const match = (template: string, path: string): ReadonlyMap<string, string> | undefined => {
  const [wanted, given] = [template.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const found = new Map<string, string>();
  for (const [at, part] of wanted.entries()) {
    const text = decodeURIComponent(given[at] ?? '');
    if (part.startsWith('{')) found.set(part.slice(1, -1), text);
    else if (part !== text) return undefined;
  }
  return found;
};

const readBytes = async (request: IncomingMessage): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
};

const parseBody = (bytes: Buffer): unknown => {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Refusal(400, 'Problems parsing JSON');
  }
};

/**
 * GitHub's REST interface, in this process, on a free loopback port: as strict as it is known to be, and stricter with what
 * nothing here should send.
 */
export const startGitHub = async (options: GitHubOptions): Promise<GitHubEmulator> => {
  const { repository = 'org/app', routes, permissions = {}, isPublic = false, prefix = '', now = Date.now } = options;
  const limits = new Limits(options.limits ?? {}, now);
  const faults = (options.faults ?? []).map((fault) => ({ ...fault, left: fault.times ?? 1 }));
  const requests: string[] = [];

  const handle = async (request: IncomingMessage, url: URL): Promise<{ status: PropertyKey; body?: unknown }> => {
    const { headers, method = '' } = request;
    const isUpload = url.pathname.startsWith(UPLOADS);
    // "Bad Content-Length" is what a stream without it gets (denoland/deno 24197, PyGithub 525).
    if (isUpload && headers['content-length'] === undefined) throw new Refusal(400, 'Bad Content-Length: ');
    const bytes = await readBytes(request);
    const body = isUpload ? undefined : parseBody(bytes);
    // "Requests with no User-Agent header will be rejected" (docs.github.com, "Getting started with the REST API").
    if (!headers['user-agent']) throw new Refusal(403, 'Request forbidden by administrative rules.');
    if (headers.authorization !== `token ${TOKEN}` && headers.authorization !== `Bearer ${TOKEN}`) {
      throw new Refusal(401, 'Bad credentials');
    }
    const start = isUpload ? UPLOADS.slice(0, -1) : prefix;
    if (!url.pathname.startsWith(`${start}/`)) throw new Refusal(404, 'Not Found');
    const path = url.pathname.slice(start.length);
    if (options.formerName !== undefined && path.startsWith(`/repos/${options.formerName}/`)) {
      const location = `${url.origin}${prefix}${path.replace(options.formerName, repository)}${url.search}`;
      throw new Refusal(301, 'Moved Permanently', { location });
    }
    for (const { verb, template, need, parameters, run, isUpload: isOfUploads = false } of routes) {
      if (isOfUploads !== isUpload) continue;
      const parts = verb.toUpperCase() === method ? match(template, path) : undefined;
      const isOfRepository = template.startsWith('/repos/');
      if (!parts || (isOfRepository && `${parts.get('owner')}/${parts.get('repo')}` !== repository)) continue;
      if (need) checkPermission(need, permissions, isPublic);
      const unknown = [...url.searchParams.keys()].find((name) => !parameters.includes(name));
      if (unknown !== undefined) throw new Refusal(422, `the emulator does not know the parameter ${unknown}`);
      return run({
        path: (name) => parts.get(name) ?? '',
        query: (name) => url.searchParams.get(name) ?? undefined,
        body,
        bytes,
      });
    }
    throw new Refusal(404, 'Not Found');
  };

  const send = (response: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void => {
    const text = body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, { ...headers, ...(text ? { 'content-type': 'application/json; charset=utf-8' } : {}) });
    response.end(text);
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', origin);
    const named = `${request.method} ${request.url}`;
    const fault = faults.find(
      ({ method, path, left }) => left > 0 && method === request.method && path.test(url.pathname),
    );
    if (fault) fault.left -= 1;
    const fail = ({ status, message = 'Server Error', headers = {} }: GitHubFault): void => {
      requests.push(`${named} ${status}`);
      if (status === 0) request.socket.destroy();
      else send(response, status, { ...headers }, { message });
    };
    if (fault?.when === 'before') return fail(fault);
    if (fault?.when === 'midway') {
      // Its name is taken by what there was of it.
      options.cutUpload?.(url.searchParams.get('name') ?? '');
      request.once('data', () => fail(fault));
      return;
    }
    let headers: Record<string, string> = {};
    try {
      headers = limits.count(request.method ?? '');
      const { status, body } = await handle(request, url);
      if (fault) return fail(fault);
      requests.push(`${named} ${String(status)}`);
      send(response, Number(status), headers, body);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, String(error));
      requests.push(`${named} ${refusal.status}`);
      const documentation_url = 'https://docs.github.com/rest';
      send(
        response,
        refusal.status,
        { ...headers, ...refusal.headers },
        { message: refusal.message, documentation_url },
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}${prefix}`,
    token: TOKEN,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
