import {
  BatchCheckLayerAvailabilityCommand,
  BatchDeleteImageCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  DescribeRegistriesCommand,
  DescribeRepositoriesCommand,
  ECRPUBLICClient,
  GetAuthorizationTokenCommand,
  PutImageCommand,
} from '@aws-sdk/client-ecr-public';
import { UserError } from '../core/error.ts';
import { partsOf } from '../core/parts.ts';
import { type AwsCalls, awsCalls } from './aws-calls.ts';
import { clientSettings, ONE_TRY } from './client-settings.ts';
import { decodeLogin } from './decode-login.ts';
import type { AwsWorld, EcrApi, WantedRepository } from './ecr-api.ts';
import { allImages, pageOf, removeOne } from './ecr-images.ts';
import { hasNoCredentials, isNamed, mayNotAsk } from './failure.ts';
import { MOVABLE } from './fixed-tags.ts';
import { type GivenCatalogue, givenOf, keepPage } from './gallery-page.ts';
import { ifAllowed } from './if-allowed.ts';
import { manifestInput } from './manifest-input.ts';
import { noRepository } from './no-repository.ts';
import { checkRepositoryName } from './repository-name.ts';

/** The one region that gives out tokens for ECR Public. */
const REGION = 'us-east-1';

/** Digests in one question (service model, BatchedOperationLayerDigestList). */
const BATCH = 100;

interface Session {
  readonly client: ECRPUBLICClient;
  readonly calls: AwsCalls;
  readonly world: AwsWorld;
}

/** ECR Public's own interface (API version 2020-10-30). */
export function openEcrPublic(world: AwsWorld): EcrApi {
  const settings = clientSettings(world, 'ECR_PUBLIC', REGION);
  const client = new ECRPUBLICClient(settings);
  const asking = new ECRPUBLICClient({ ...settings, ...ONE_TRY });
  const calls = awsCalls('ecr-public', world);
  const checked = new Map<string, Promise<void>>();
  // These two operations know no alias: what they name is in the account's own registry, whatever the reference says.
  const isOurs = (alias: string): Promise<void> => {
    const known = checked.get(alias) ?? checkAlias({ client, calls, world }, alias);
    checked.set(alias, known);
    return known;
  };
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
    ensureRepository: async (wanted) => {
      await ensure({ client, calls, world }, wanted);
      return MOVABLE;
    },
    heldBlobs: (repository, digests) => heldBlobs({ client, calls, world }, repository, digests),
    showPage: ({ repository, settings: given, image }) => {
      const [alias, name] = split(repository);
      const wanted = {
        ...(given?.fromImage === false ? {} : givenOf(image)),
        ...givenOf(given?.catalogue ?? {}),
      };
      return keepPage({ client, calls, name, place: placeOf(alias, name) }, wanted);
    },
    mountsBlobs: async () => false,
    storeManifest: async (repository, manifest, reference) => {
      const [registryId, repositoryName] = split(repository);
      const what = `cannot store an image in ${placeOf(registryId, repositoryName)}`;
      const stored = await calls.callUnless(hasNoCredentials, 'PutImage', what, () =>
        asking.send(new PutImageCommand({ registryId, repositoryName, ...manifestInput(manifest, reference) })),
      );
      return stored !== undefined;
    },
    images: async (repository, digest) => {
      const [alias, repositoryName] = split(repository);
      await isOurs(alias);
      return allImages(calls, placeOf(alias, repositoryName), (nextToken) =>
        client.send(new DescribeImagesCommand({ repositoryName, ...pageOf(digest, nextToken) })),
      );
    },
    removeImage: async (repository, image) => {
      const [alias, repositoryName] = split(repository);
      await isOurs(alias);
      const imageIds = [image];
      return removeOne(calls, placeOf(alias, repositoryName), () =>
        client.send(new BatchDeleteImageCommand({ repositoryName, imageIds })),
      );
    },
  };
}

/** `ALIAS/NAME`: whose registry it is, and what AWS calls the repository. */
function split(repository: string): [string, string] {
  const slash = repository.indexOf('/');
  return [repository.slice(0, slash), repository.slice(slash + 1)];
}

const placeOf = (alias: string, name: string): string => `${name} in ECR Public of ${alias}`;

async function heldBlobs(
  { client, calls }: Session,
  repository: string,
  digests: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  const [registryId, repositoryName] = split(repository);
  const held = new Set<string>();
  try {
    for (const layerDigests of partsOf(digests, BATCH)) {
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
    if (error instanceof UserError && (error.code === 'credentials' || mayNotAsk(error.cause))) return undefined;
    throw error;
  }
}

async function ensure(session: Session, wanted: WantedRepository): Promise<void> {
  const [alias, name] = split(wanted.repository);
  checkRepositoryName('ECR Public', `public.ecr.aws/${wanted.repository}`, wanted.repository.includes('/') ? name : '');
  const place = placeOf(alias, name);
  const answer = await ifAllowed(place, wanted, session.world.log, async () => {
    await checkAlias(session, alias);
    return exists(session, name, place);
  });
  if (answer === undefined) return;
  const isThere = answer.found;
  if (!isThere && !wanted.mayCreate) throw noRepository(place);
  // The page of one that exists is seen to when the image is there: `showPage`.
  if (!isThere) await create(session, name, place, givenOf(wanted.settings?.catalogue ?? {}));
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

async function create(session: Session, name: string, place: string, catalogue: GivenCatalogue): Promise<void> {
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
    docs: 'registries.md#amazon-ecr',
  });
}
