import {
  BatchCheckLayerAvailabilityCommand,
  CreateRepositoryCommand,
  DescribeRegistriesCommand,
  DescribeRepositoriesCommand,
  ECRPUBLICClient,
  GetAuthorizationTokenCommand,
  GetRepositoryCatalogDataCommand,
  PutRepositoryCatalogDataCommand,
  type RepositoryCatalogData,
} from '@aws-sdk/client-ecr-public';
import { UserError } from '../core/error.ts';
import { type AwsCalls, awsCalls } from './aws-calls.ts';
import { clientSettings } from './client-settings.ts';
import { decodeLogin } from './decode-login.ts';
import type { AwsWorld, EcrApi, WantedRepository } from './ecr-api.ts';
import { hasNoCredentials, isNamed } from './failure.ts';
import { ifAllowed } from './if-allowed.ts';
import { noRepository } from './no-repository.ts';
import type { Catalogue } from './repository-settings.ts';

/** The one region that gives out tokens for ECR Public. */
const REGION = 'us-east-1';

/** Digests in one question (service model, BatchedOperationLayerDigestList). */
const BATCH = 100;

/** The service model's own; references allow more (`__`, `--`). */
const NAME = /^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
const NAME_LENGTH = { min: 2, max: 205 } as const;

interface Session {
  readonly client: ECRPUBLICClient;
  readonly calls: AwsCalls;
  readonly world: AwsWorld;
}

/** ECR Public's own interface (API version 2020-10-30). */
export function openEcrPublic(world: AwsWorld): EcrApi {
  const client = new ECRPUBLICClient(clientSettings(world, 'ECR_PUBLIC', REGION));
  const calls = awsCalls('ecr-public', world);
  return {
    login: async () => {
      const asked = await calls.callUnless(
        hasNoCredentials,
        'GetAuthorizationToken',
        'cannot log in to ECR Public',
        () => client.send(new GetAuthorizationTokenCommand({})),
      );
      return asked && decodeLogin(asked.authorizationData ?? {}, world);
    },
    ensureRepository: (wanted) => ensure({ client, calls, world }, wanted),
    heldBlobs: (repository, digests) => heldBlobs({ client, calls, world }, repository, digests),
  };
}

/** `ALIAS/NAME`: whose registry it is, and what AWS calls the repository. */
function split(repository: string): [string, string] {
  const slash = repository.indexOf('/');
  return [repository.slice(0, slash), repository.slice(slash + 1)];
}

async function heldBlobs(
  { client, calls }: Session,
  repository: string,
  digests: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  const [registryId, repositoryName] = split(repository);
  const held = new Set<string>();
  try {
    for (let at = 0; at < digests.length; at += BATCH) {
      const layerDigests = digests.slice(at, at + BATCH);
      const command = new BatchCheckLayerAvailabilityCommand({ registryId, repositoryName, layerDigests });
      const what = `cannot look up blobs of ${repository} in ECR Public`;
      const { layers = [] } = await calls.call('BatchCheckLayerAvailability', what, () => client.send(command));
      for (const { layerDigest, layerAvailability } of layers) {
        if (layerDigest !== undefined && layerAvailability === 'AVAILABLE') held.add(layerDigest);
      }
    }
    return held;
  } catch (error) {
    // Docker's login may be good for the registry where AWS's credentials are missing, or for something else.
    if (error instanceof UserError && error.code === 'credentials') return undefined;
    throw error;
  }
}

async function ensure(session: Session, wanted: WantedRepository): Promise<void> {
  const [alias, name] = split(wanted.repository);
  checkName(wanted.repository, name);
  const place = `${name} in ECR Public of ${alias}`;
  const answer = await ifAllowed(place, wanted, session.world.log, async () => {
    await checkAlias(session, alias);
    return exists(session, name, place);
  });
  if (answer === undefined) return;
  const isThere = answer.found;
  if (!isThere && !wanted.mayCreate) throw noRepository(place);
  const catalogue = definedOf(wanted.settings?.catalogue ?? {});
  if (!isThere && (await create(session, name, place, catalogue))) return;
  if (Object.keys(catalogue).length > 0) await keepCatalogue(session, name, place, catalogue);
}

async function exists({ client, calls }: Session, name: string, place: string): Promise<boolean> {
  const command = new DescribeRepositoriesCommand({ repositoryNames: [name] });
  const found = await calls.callUnless(
    isNamed('RepositoryNotFoundException'),
    'DescribeRepositories',
    `cannot look up ${place}`,
    () => client.send(command),
  );
  return found !== undefined;
}

/** False where another job was faster: what it set need not be what is wanted here. */
async function create(session: Session, name: string, place: string, catalogue: GivenCatalogue): Promise<boolean> {
  const { client, calls, world } = session;
  const catalogData = Object.keys(catalogue).length === 0 ? {} : { catalogData: catalogue };
  const command = new CreateRepositoryCommand({ repositoryName: name, ...catalogData });
  const made = await calls.callUnless(
    isNamed('RepositoryAlreadyExistsException'),
    'CreateRepository',
    `cannot create ${place}`,
    () => client.send(command),
  );
  if (made) world.log.info(`created ${place}`);
  return made !== undefined;
}

function checkName(repository: string, name: string): void {
  const isLong = name.length < NAME_LENGTH.min || name.length > NAME_LENGTH.max;
  if (repository.includes('/') && NAME.test(name) && !isLong) return;
  throw new UserError('reference', `public.ecr.aws/${repository} is not a valid repository of ECR Public`, {
    hint: `Write public.ecr.aws/ALIAS/NAME; NAME has ${NAME_LENGTH.min} to ${NAME_LENGTH.max} lower-case letters and digits, with one of . _ - or / between them.`,
  });
}

/** Throws UserError `reference` for an alias that is not this account's. */
async function checkAlias({ client, calls }: Session, alias: string): Promise<void> {
  const found = await calls.call('DescribeRegistries', 'cannot look up the aliases of this account', () =>
    client.send(new DescribeRegistriesCommand({})),
  );
  const ours = (found.registries ?? []).flatMap(({ aliases = [] }) => aliases.map(({ name }) => name ?? ''));
  if (ours.includes(alias)) return;
  throw new UserError('reference', `${alias} is not an alias of this AWS account's registry in ECR Public`, {
    hint: ours.length > 0 ? `Its aliases are ${ours.join(', ')}.` : 'It has no registry in ECR Public yet.',
    docs: 'registries.md',
  });
}

type GivenCatalogue = { [K in keyof Catalogue]: NonNullable<Catalogue[K]> };

const definedOf = (catalogue: Catalogue): GivenCatalogue =>
  Object.fromEntries(Object.entries(catalogue).filter(([, value]) => value !== undefined)) as GivenCatalogue;

/** PutRepositoryCatalogData replaces all of it, so what is not given is sent as it is. */
async function keepCatalogue(
  { client, calls }: Session,
  name: string,
  place: string,
  wanted: GivenCatalogue,
): Promise<void> {
  const cannot = `cannot change what the gallery shows of ${place}`;
  const found = await calls.callUnless(
    isNamed('RepositoryCatalogDataNotFoundException'),
    'GetRepositoryCatalogData',
    cannot,
    () => client.send(new GetRepositoryCatalogDataCommand({ repositoryName: name })),
  );
  const is = found?.catalogData ?? {};
  if (isSame(is, wanted)) return;
  const { description, architectures, operatingSystems, aboutText, usageText } = is;
  const kept = definedOf({ description, architectures, operatingSystems, aboutText, usageText });
  await calls.call('PutRepositoryCatalogData', cannot, () =>
    client.send(new PutRepositoryCatalogDataCommand({ repositoryName: name, catalogData: { ...kept, ...wanted } })),
  );
}

/** A logo that is there is believed to be the one that is given: AWS gives back an address and not the bytes. */
const isSame = (is: RepositoryCatalogData, { logoImageBlob, ...texts }: GivenCatalogue): boolean =>
  (logoImageBlob === undefined || is.logoUrl !== undefined) &&
  Object.entries(texts).every(
    ([name, value]) => JSON.stringify(is[name as keyof RepositoryCatalogData]) === JSON.stringify(value),
  );
