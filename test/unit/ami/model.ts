import type { DeployTools, UploadRequest } from '../../../src/ami/deployment.ts';
import type { Cloud } from '../../../src/aws/cloud.ts';
import type { AmiRecord, Ec2Api, Sharing, SnapshotRecord } from '../../../src/aws/ec2-api.ts';
import { AwsRefusal } from '../../../src/aws/refusal.ts';
import type { ParameterRecord, SsmApi } from '../../../src/aws/ssm-api.ts';
import type { Clock } from '../../../src/core/retry.ts';

/** What the model of AWS knows of an AMI. */
interface ModelImage {
  id: string;
  name: string;
  state: string;
  reason: string | undefined;
  /** When it becomes available, and fails instead where `fate` says so. */
  readyAt: number;
  fate: string | undefined;
  created: number;
  deprecated: number | undefined;
  isProtected: boolean;
  snapshot: string;
  tags: Map<string, string>;
  sharing: Sharing;
}

interface ModelSnapshot {
  id: string;
  state: string;
  tags: Map<string, string>;
  isEncrypted: boolean;
  sharing: Sharing;
}

export interface ModelRegion {
  readonly images: Map<string, ModelImage>;
  readonly snapshots: Map<string, ModelSnapshot>;
  readonly parameters: Map<string, ParameterRecord[]>;
  readonly tokens: Map<string, string>;
  encrypts: boolean;
  blocksImages: boolean;
  blocksSnapshots: boolean;
}

/** A request that is about to be answered: a test throws from here to have it refused, lost or stopped. */
export interface ModelCall {
  readonly region: string;
  readonly verb: string;
  /** Number among all calls, from 1 on. */
  readonly number: number;
  /** `before` nothing has happened yet, `after` it has and the answer is on its way. */
  readonly when: 'before' | 'after';
}

const NOBODY: Sharing = { public: false, accounts: [], organizations: [], units: [] };

const CHANGES = /^(?:register|copy|deregister|delete|share|deprecate|protect|unprotect|tag|put|remove)/;

export const refusal = (reason: string, message = reason): AwsRefusal =>
  new AwsRefusal(message, { reason, requestId: 'request-1' });

/** AWS in memory, as strict as deployments need it: regions apart, pending copies, names, tokens, snapshots in use. */
export class ModelCloud implements Cloud {
  readonly account = '111122223333';
  readonly #clock: Clock;
  readonly #regions = new Map<string, ModelRegion>();
  readonly regionNames: readonly string[];
  /** Regions that the account does not use. */
  off: readonly string[] = [];
  /** Milliseconds that a copy takes. */
  copyTime = 300_000;
  /** What becomes of copies into a region: `failed`. */
  readonly fates = new Map<string, string>();
  readonly calls: ModelCall[] = [];
  onCall: (call: ModelCall) => void = () => undefined;
  renewals = 0;
  #ids = 0;

  constructor(regions: readonly string[], clock: Clock) {
    this.regionNames = regions;
    this.#clock = clock;
  }

  region(name: string): ModelRegion {
    const found = this.#regions.get(name) ?? {
      images: new Map(),
      snapshots: new Map(),
      parameters: new Map(),
      tokens: new Map(),
      encrypts: false,
      blocksImages: false,
      blocksSnapshots: false,
    };
    this.#regions.set(name, found);
    return found;
  }

  /** Number of calls that change something. */
  changes(): number {
    return this.calls.filter(({ when, verb }) => when === 'before' && CHANGES.test(verb)).length;
  }

  id(kind: string): string {
    this.#ids += 1;
    return `${kind}-${String(this.#ids).padStart(17, '0')}`;
  }

  identity = (region: string) =>
    this.#answer(region, 'identity', () => ({
      account: this.account,
      arn: `arn:aws:iam::${this.account}:role/deploy`,
    }));

  renew(): void {
    this.renewals += 1;
  }

  async #answer<T>(region: string, verb: string, work: () => T): Promise<T> {
    const call = { region, verb, number: this.calls.filter(({ when }) => when === 'before').length + 1 };
    this.#say({ ...call, when: 'before' });
    await Promise.resolve();
    const value = work();
    this.#say({ ...call, when: 'after' });
    return value;
  }

  #say(call: ModelCall): void {
    this.calls.push(call);
    this.onCall(call);
  }

  #now(image: ModelImage): AmiRecord {
    if (image.state === 'pending' && this.#clock.now() >= image.readyAt) {
      image.state = image.fate ?? 'available';
      if (image.fate !== undefined) image.reason = 'Copy image failed with an internal error';
    }
    return {
      ...{ id: image.id, name: image.name, state: image.state, reason: image.reason, tags: new Map(image.tags) },
      ...{ created: image.created, deprecated: image.deprecated, isProtected: image.isProtected },
      isPublic: image.sharing.public,
      snapshots: image.state === 'pending' ? [] : [image.snapshot],
    };
  }

  ec2(region: string): Ec2Api {
    const here = this.region(region);
    const answer = <T>(verb: string, work: () => T): Promise<T> => this.#answer(region, verb, work);
    const image = (id: string): ModelImage => {
      const found = here.images.get(id);
      if (found === undefined || found.state === 'deregistered') throw refusal('InvalidAMIID.NotFound');
      this.#now(found);
      return found;
    };
    const available = (id: string): ModelImage => {
      const found = image(id);
      if (found.state !== 'available') throw refusal('InvalidAMIID.Unavailable', `${id} is currently ${found.state}`);
      return found;
    };
    const snapshot = (id: string): ModelSnapshot => {
      const found = here.snapshots.get(id);
      if (found === undefined) throw refusal('InvalidSnapshot.NotFound');
      return found;
    };
    const add = (fields: Pick<ModelImage, 'name' | 'readyAt' | 'snapshot' | 'tags' | 'fate'>): string => {
      const id = this.id('ami');
      const rest = { deprecated: undefined, isProtected: false, sharing: NOBODY, reason: undefined };
      here.images.set(id, { ...rest, ...fields, id, state: 'pending', created: this.#clock.now() });
      return id;
    };
    return {
      images: (query) =>
        answer('images', () =>
          [...here.images.values()]
            .filter((one) => {
              if ('ids' in query) return query.ids.includes(one.id);
              if ('names' in query) return query.names.includes(one.name);
              if ('snapshots' in query) return query.snapshots.includes(one.snapshot) && one.state !== 'pending';
              if ('isPublic' in query) return one.sharing.public;
              return query.values.includes(one.tags.get(query.tag) ?? '');
            })
            .filter(({ state }) => state !== 'deregistered')
            .map((one) => this.#now(one)),
        ),
      snapshots: (query) =>
        answer('snapshots', () =>
          [...here.snapshots.values()]
            .filter((one) =>
              'ids' in query ? query.ids.includes(one.id) : query.values.includes(one.tags.get(query.tag) ?? ''),
            )
            .map((one): SnapshotRecord => ({ ...one, reason: undefined, tags: new Map(one.tags) })),
        ),
      registerImage: ({ name, snapshotId, tags }) =>
        answer('registerImage', () => {
          if ([...here.images.values()].some((one) => one.name === name && one.state !== 'deregistered'))
            throw refusal('InvalidAMIName.Duplicate', `AMI name ${name} is already in use`);
          if (snapshot(snapshotId).state !== 'completed') throw refusal('IncorrectState');
          const readyAt = this.#clock.now() + 5_000;
          return add({ name, readyAt, snapshot: snapshotId, tags: new Map(Object.entries(tags)), fate: undefined });
        }),
      copyImage: ({ clientToken, name, sourceRegion, sourceId, tags }) =>
        answer('copyImage', () => {
          const known = here.tokens.get(clientToken);
          if (known !== undefined) return known;
          const source = this.region(sourceRegion).images.get(sourceId);
          if (source === undefined || this.#now(source).state !== 'available') throw refusal('InvalidAMIID.NotFound');
          const of = new Map(Object.entries(tags));
          const made = this.id('snap');
          here.snapshots.set(made, { id: made, state: 'completed', tags: of, isEncrypted: false, sharing: NOBODY });
          const readyAt = this.#clock.now() + this.copyTime;
          const id = add({ name, readyAt, snapshot: made, tags: new Map(of), fate: this.fates.get(region) });
          here.tokens.set(clientToken, id);
          return id;
        }),
      deregisterImage: (id) =>
        answer('deregisterImage', () => {
          const found = image(id);
          if (found.isProtected) throw refusal('OperationNotPermitted', 'deregistration protection');
          found.state = 'deregistered';
        }),
      deleteSnapshot: (id) =>
        answer('deleteSnapshot', () => {
          snapshot(id);
          if ([...here.images.values()].some((one) => one.snapshot === id && one.state !== 'deregistered'))
            throw refusal('InvalidSnapshot.InUse');
          here.snapshots.delete(id);
        }),
      imageSharing: (id) => answer('imageSharing', () => available(id).sharing),
      shareImage: (id, change) =>
        answer('shareImage', () => {
          const found = available(id);
          found.sharing = changed(found.sharing, change.add, change.remove);
        }),
      snapshotSharing: (id) => answer('snapshotSharing', () => snapshot(id).sharing),
      shareSnapshot: (id, change) =>
        answer('shareSnapshot', () => {
          const found = snapshot(id);
          found.sharing = changed(found.sharing, change.add, change.remove);
        }),
      deprecateImage: (id, at) =>
        answer(
          'deprecateImage',
          () => void Object.assign(available(id), { deprecated: Math.floor(at / 60_000) * 60_000 }),
        ),
      protectImage: (id) => answer('protectImage', () => void Object.assign(available(id), { isProtected: true })),
      unprotectImage: (id) => answer('unprotectImage', () => void Object.assign(available(id), { isProtected: false })),
      tag: (id, tags) =>
        answer('tag', () => {
          for (const [key, value] of Object.entries(tags)) image(id).tags.set(key, value);
        }),
      regions: () =>
        answer('regions', () =>
          this.regionNames.map((name) => ({ name, optIn: this.off.includes(name) ? 'not-opted-in' : 'opted-in' })),
        ),
      encryptsByDefault: () => answer('encryptsByDefault', () => here.encrypts),
      blocksPublicImages: () => answer('blocksPublicImages', () => here.blocksImages),
      blocksPublicSnapshots: () => answer('blocksPublicSnapshots', () => here.blocksSnapshots),
    };
  }

  /** Smoke tests and removal have the emulator. */
  instances(): never {
    throw new Error('there are no instances in the model');
  }

  lifecycle(): never {
    throw new Error('nothing is disabled in the model');
  }

  ssm(region: string): SsmApi {
    const { parameters, images } = this.region(region);
    const answer = <T>(verb: string, work: () => T): Promise<T> => this.#answer(region, verb, work);
    return {
      parameters: (names) =>
        answer('parameters', () => {
          const found = names.flatMap((name): [string, ParameterRecord][] => {
            const last = parameters.get(name)?.at(-1);
            return last === undefined ? [] : [[name, last]];
          });
          return new Map(found);
        }),
      history: (name) => answer('history', () => (parameters.get(name) ?? []).toReversed()),
      putImage: (name, value, description) =>
        answer('putImage', () => {
          const list = parameters.get(name) ?? [];
          const version = (list.at(-1)?.version ?? 0) + 1;
          // It is checked afterwards: what is no AMI is dropped without a word.
          const isThere = images.get(value)?.state === 'available';
          if (isThere) parameters.set(name, [...list, { value, version, dataType: 'aws:ec2:image', description }]);
          return version;
        }),
      remove: (name) => answer('remove', () => parameters.delete(name)),
    };
  }

  /** Stands for the upload of a disk. */
  upload = ({ region, clientToken, tags }: UploadRequest): ReturnType<DeployTools['upload']> =>
    this.#answer(region, 'putSnapshot', () => {
      const { snapshots, tokens, encrypts } = this.region(region);
      const known = tokens.get(clientToken);
      if (known !== undefined && snapshots.has(known)) return { snapshotId: known, encrypted: encrypts };
      const id = this.id('snap');
      const of = new Map(Object.entries(tags));
      snapshots.set(id, { id, state: 'completed', tags: of, isEncrypted: encrypts, sharing: NOBODY });
      tokens.set(clientToken, id);
      return { snapshotId: id, encrypted: encrypts };
    });

  /** An AMI of before, which a parameter may point to. */
  seed(region: string, fields: Partial<ModelImage> = {}): string {
    const id = this.id('ami');
    const snapshotId = this.id('snap');
    this.region(region).snapshots.set(snapshotId, {
      ...{ id: snapshotId, state: 'completed', tags: new Map(), isEncrypted: false, sharing: NOBODY },
    });
    this.region(region).images.set(id, {
      ...{ id, name: id, state: 'available', reason: undefined, readyAt: 0, fate: undefined, created: 0 },
      ...{ deprecated: undefined, isProtected: false, snapshot: snapshotId, tags: new Map(), sharing: NOBODY },
      ...fields,
    });
    return id;
  }

  /** Everything that exists, as text that can be compared. */
  state(): string {
    const lines = [...this.#regions].flatMap(([region, { images, snapshots, parameters }]) => [
      ...[...images.values()]
        .filter(({ state }) => state !== 'deregistered')
        .map(
          ({ name, sharing, tags }) =>
            `${region} ami ${name} [${sharing.accounts}] ${sharing.public} ${tags.has('nix-images:run')}`,
        ),
      ...[...snapshots.values()].map(
        ({ tags, sharing }) => `${region} snapshot ${tags.get('Name')} [${sharing.accounts}] ${sharing.public}`,
      ),
      ...[...parameters].map(([name, list]) => `${region} ${name}=${images.get(list.at(-1)?.value ?? '')?.name}`),
    ]);
    return lines.sort().join('\n');
  }
}

const changed = (now: Sharing, add: Sharing, remove: Sharing): Sharing => ({
  public: (now.public || add.public) && !remove.public,
  accounts: list(now.accounts, add.accounts, remove.accounts),
  organizations: list(now.organizations, add.organizations, remove.organizations),
  units: list(now.units, add.units, remove.units),
});

const list = (now: readonly string[], add: readonly string[], remove: readonly string[]): string[] =>
  [...new Set([...now, ...add])].filter((one) => !remove.includes(one));
