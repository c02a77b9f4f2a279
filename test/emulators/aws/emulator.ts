import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RegistryEmulator } from '../registry/emulator.ts';
import { ECR, ECR_PUBLIC } from './model.ts';
import { AwsError, ECR_HANDLERS, ECR_PUBLIC_HANDLERS } from './operations.ts';
import { shapeError } from './shapes.ts';
import { readSignature } from './signature.ts';
import { AwsStore } from './store.ts';

const SERVICES = [
  { model: ECR, handlers: ECR_HANDLERS },
  { model: ECR_PUBLIC, handlers: ECR_PUBLIC_HANDLERS },
];

const DAY = 24 * 60 * 60 * 1000;

export interface AwsOptions {
  /** Milliseconds that tokens live. Default: half a day, as AWS's do. */
  readonly lifetime?: number;
  /** Actions that are refused, and which action AWS then names: `ecr-public:GetAuthorizationToken`. */
  readonly denied?: Readonly<Record<string, string>>;
  /** Settings of the account in ECR: `BLOB_MOUNTING`. Default: ENABLED. */
  readonly accountSettings?: Readonly<Record<string, string>>;
  /** Why PutImage takes nothing: an error's name and message. */
  readonly refusesImages?: readonly [type: string, message: string];
  /** Aliases of the account in ECR Public. */
  readonly aliases?: readonly string[];
  /** Answers so many requests with ThrottlingException first. */
  readonly throttled?: number;
  readonly now?: () => number;
}

export interface AwsEmulator {
  /** For AWS_ENDPOINT_URL. */
  readonly url: string;
  /** Keys that are taken, as variables of the environment. */
  readonly keys: Readonly<Record<string, string>>;
  readonly store: AwsStore;
  /** `SERVICE:OPERATION REGION` of each request that was right. */
  readonly calls: readonly string[];
  /** What was wrong with the others; tests expect this to be empty. */
  readonly violations: readonly string[];
  /** Takes requests of a session that somebody else has opened, such as STS. */
  accept(session: Session): void;
  /** Ties the registry of a region, or of ECR Public (`public`), whose blobs and manifests the interface knows. */
  tie(place: string, registry: RegistryEmulator): void;
  stop(): Promise<void>;
}

/** Keys that end; requests must show the token with them. */
export interface Session {
  readonly accessKey: string;
  readonly secret: string;
  readonly token: string;
}

const ACCESS_KEY = 'AKIAEMULATOR00000000';
const SECRET = 'emulated/secret+of+forty+characters000000';

/** ECR and ECR Public, as far as nix-images asks them; see README.md. */
export const startAwsEmulator = async (options: AwsOptions = {}): Promise<AwsEmulator> => {
  const {
    lifetime = DAY / 2,
    denied = {},
    aliases = ['acme'],
    accountSettings = {},
    refusesImages,
    now = Date.now,
  } = options;
  const store = new AwsStore('123456789012', now);
  const calls: string[] = [];
  const violations: string[] = [];
  const sessions = new Map<string, Session>();
  let throttled = options.throttled ?? 0;

  const answer = (request: IncomingMessage, body: string): object => {
    const violate = (what: string): never => {
      violations.push(what);
      throw new AwsError('SerializationException', what);
    };
    const [target = '', operation = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
    const service = SERVICES.find(({ model }) => model.target === target) ?? violate(`X-Amz-Target ${target}`);
    const { model, handlers } = service;
    const known = model.operations[operation] ?? violate(`operation ${operation}`);
    if (request.method !== 'POST' || request.url !== '/') violate(`${request.method} ${request.url}`);
    if (request.headers['content-type'] !== 'application/x-amz-json-1.1') violate('Content-Type');
    const secretOf = (key: string): string | undefined => (key === ACCESS_KEY ? SECRET : sessions.get(key)?.secret);
    const signature = readSignature(request, body, secretOf) ?? violate('no signature');
    if (signature.service !== model.signingName) violate(`signed for ${signature.service}`);
    const isKnown = secretOf(signature.accessKey) !== undefined;
    if (!isKnown || request.headers['x-amz-security-token'] !== sessions.get(signature.accessKey)?.token) {
      throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    if (!signature.isRight) {
      throw new AwsError(
        'InvalidSignatureException',
        'The request signature we calculated does not match the signature you provided.',
      );
    }
    const input = JSON.parse(body) as Record<string, unknown>;
    const wrong = shapeError(known.input, input);
    if (wrong !== undefined) {
      violations.push(`${operation}: ${wrong}`);
      throw new AwsError('InvalidParameterException', wrong);
    }
    if (throttled > 0) {
      throttled -= 1;
      throw new AwsError('ThrottlingException', 'Rate exceeded');
    }
    calls.push(`${model.signingName}:${operation} ${signature.region}`);
    const action = denied[`${model.signingName}:${operation}`];
    if (action !== undefined) {
      throw new AwsError(
        'AccessDeniedException',
        `User: arn:aws:iam::${store.account}:user/ci is not authorized to perform: ${action} on resource: * because no identity-based policy allows the ${action} action`,
      );
    }
    const output =
      handlers[operation]?.({
        input,
        region: signature.region,
        store,
        lifetime,
        aliases,
        accountSettings,
        refusesImages,
      }) ?? {};
    const untrue = shapeError(known.output, output);
    if (untrue !== undefined) violate(`the emulator's own answer to ${operation}: ${untrue}`);
    return output;
  };

  const server = createServer(async (request, response) => {
    const body = await text(request);
    const reply = (status: number, content: object): void => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'emulated' });
      response.end(JSON.stringify(content));
    };
    try {
      reply(200, answer(request, body));
    } catch (error) {
      if (error instanceof AwsError) reply(400, { __type: error.type, message: error.message });
      else reply(500, { __type: 'ServerException', message: String(error) });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys: { AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET },
    store,
    calls,
    violations,
    accept: (session) => void sessions.set(session.accessKey, session),
    tie: (place, registry) => void store.registries.set(place, registry),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
