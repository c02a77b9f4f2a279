import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { chancesOf } from '../../../support/chances.ts';
import { listenOnLoopback } from '../../../support/tools.ts';
import { authenticate, scopeOf } from './authenticate.ts';
import { valueError } from './check-value.ts';
import type { CloudCall } from './cloud-call.ts';
import { CloudClock } from './cloud-clock.ts';
import { CloudError, ShapeError } from './cloud-error.ts';
import { CloudState, type CloudWorld } from './cloud-state.ts';
import { type CloudContents, contentsOf } from './contents.ts';
import { denial } from './denial.ts';
import type { Harm } from './faults.ts';
import type { Identity } from './identities.ts';
import { ACCOUNTS, STRANGER } from './partitions.ts';
import type { CameRequest, WrittenAnswer } from './protocol.ts';
import { type CloudService, loadServiceModel, type ServiceModel } from './service-model.ts';
import { SERVICES } from './services.ts';

export interface CloudOptions extends Partial<CloudWorld> {
  /** Chances of lags and faults. Default: 1. */
  readonly seed?: number;
}

/** One request that was right in form and signature. */
export interface CloudRequest {
  /** `ec2:CopyImage`. */
  readonly verb: string;
  readonly region: string;
  readonly account: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** `done`, the code of an error, or how it was harmed: `cut`, `lost`, `silence`. */
  outcome: string;
}

export interface Cloud {
  /** For AWS_ENDPOINT_URL. */
  readonly url: string;
  /** Regions, roles, faults, identities. */
  readonly state: CloudState;
  /** Keys of an administrator of the account in the partition `aws`. */
  readonly admin: Identity;
  /** Keys of another account, which sees what is public. */
  readonly stranger: Identity;
  readonly requests: readonly CloudRequest[];
  /** What was wrong in form with requests, or with the emulator's own answers; tests expect this to be empty. */
  readonly violations: readonly string[];
  /** What an account has everywhere, as it truly is. Default: the administrator's. */
  contents(account?: string): CloudContents;
  stop(): Promise<void>;
}

class Harmed extends Error {
  readonly kind: Exclude<Harm['kind'], 'error'>;
  constructor(kind: Exclude<Harm['kind'], 'error'>) {
    super(kind);
    this.kind = kind;
  }
}

const SERVICE_NAMES = Object.keys(SERVICES) as CloudService[];

/** EBS direct, EC2, SSM and STS of many regions behind one address; see README.md. */
export async function startCloud(options: CloudOptions = {}): Promise<Cloud> {
  const { seed = 1, signatureTime = Date.now } = options;
  const state = new CloudState({
    now: options.now ?? (() => STILL.now()),
    random: options.random ?? chancesOf(seed),
    lags: options.lags ?? 'reported',
    keepsBlocks: options.keepsBlocks ?? false,
    countsQuotas: options.countsQuotas ?? false,
    signatureTime,
    verifyIdToken: options.verifyIdToken ?? (() => undefined),
  });
  const models = new Map<CloudService, ServiceModel>();
  for (const name of SERVICE_NAMES) models.set(name, await loadServiceModel(name));
  const account = ACCOUNTS.aws;
  const admin = state.identities.open({ account, partition: 'aws', arn: `arn:aws:iam::${account}:user/ci` });
  const stranger = state.identities.open({
    account: STRANGER,
    partition: 'aws',
    arn: `arn:aws:iam::${STRANGER}:user/somebody`,
  });
  const requests: CloudRequest[] = [];
  const violations: string[] = [];

  const handle = (service: CloudService, model: ServiceModel, came: CameRequest): WrittenAnswer => {
    const { protocol, handlers, invalid } = SERVICES[service];
    const { operation, input } = protocol.read(model, came);
    const known = model.operations[operation];
    const isOpen = known?.authtype === 'none';
    if (isOpen && came.request.headers.authorization !== undefined) throw new ShapeError(`${operation} is signed`);
    const { caller, region } = isOpen
      ? { caller: NOBODY, region: state.region('us-east-1') }
      : authenticate(state, came, {
          service,
          mayBeUnsigned: known?.unsignedPayload ?? false,
          signatureTime: signatureTime(),
        });
    const verb = `${service}:${operation}`;
    const entry: CloudRequest = { verb, region: region.name, account: caller.account, input, outcome: 'done' };
    requests.push(entry);
    try {
      const wrong = known?.input && valueError(model, known.input.shape, input, operation);
      if (wrong !== undefined) {
        violations.push(wrong);
        throw new CloudError(invalid, wrong);
      }
      const harm = state.faults.find(verb, region.name);
      if (harm?.kind === 'error') throw new CloudError(harm.code, harm.message ?? harm.code, harm);
      if (harm && harm.kind !== 'lost') throw new Harmed(harm.kind);
      if (state.world.countsQuotas) {
        const who = `${caller.account} ${region.name}`;
        state.limits.take(verb, who, state.world.now(), input.SnapshotId as string | undefined);
      }
      if (caller.denied.has(verb)) throw denial(service, verb, caller);
      if (input.DryRun === true) {
        throw new CloudError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', {
          status: 412,
        });
      }
      const handler = handlers[operation];
      if (handler === undefined) throw new ShapeError(`${verb} is not emulated`);
      const call: CloudCall<unknown> = { input, cloud: state, region, caller, now: state.world.now() };
      const output = handler(call as never);
      const untrue = known?.output && valueError(model, known.output.shape, output, `the answer to ${operation}`);
      if (untrue !== undefined) throw new ShapeError(untrue);
      if (harm) throw new Harmed(harm.kind as 'lost');
      return protocol.write(model, operation, output);
    } catch (error) {
      entry.outcome = error instanceof CloudError ? error.code : error instanceof Harmed ? error.kind : 'broken';
      throw error;
    }
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const service = (scopeOf(request)?.service ?? 'sts') as CloudService;
    const model = models.get(service);
    if (model === undefined) {
      violations.push(`signed for ${service}`);
      return void response.writeHead(400).end();
    }
    const send = ({ status, headers, body: content }: WrittenAnswer): void => {
      const common = { 'x-amzn-requestid': 'emulated', date: new Date(signatureTime()).toUTCString() };
      response.writeHead(status, { ...common, ...headers, 'content-length': Buffer.byteLength(content) }).end(content);
    };
    try {
      send(handle(service, model, { request, body }));
    } catch (error) {
      if (error instanceof Harmed) {
        if (error.kind !== 'silence') request.socket.destroy();
        return;
      }
      if (!(error instanceof CloudError)) violations.push(error instanceof ShapeError ? error.message : String(error));
      const known = error instanceof CloudError ? error : new CloudError(SERVICES[service].invalid, String(error));
      send(SERVICES[service].protocol.fail(model, known));
    }
  };

  const server = createServer((request, response) => {
    // A client that goes away while it sends is no fault of anybody's.
    answer(request, response).catch(() => request.socket.destroy());
  });
  const { url, close } = await listenOnLoopback(server);
  return {
    url,
    state,
    admin,
    stranger,
    requests,
    violations,
    contents: (of = account) => contentsOf(state, of),
    stop: close,
  };
}

/** Who has no keys yet. */
const NOBODY: Identity = {
  accessKey: '',
  secret: '',
  account: '',
  partition: 'aws',
  arn: 'nobody',
  denied: new Set(),
};

/** Time stands still where no clock is given. */
const STILL = new CloudClock();
