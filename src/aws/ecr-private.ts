import {
  BatchDeleteImageCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  DescribeRepositoriesCommand,
  ECRClient,
  GetAccountSettingCommand,
  GetAuthorizationTokenCommand,
  GetLifecyclePolicyCommand,
  PutImageCommand,
  PutImageScanningConfigurationCommand,
  PutImageTagMutabilityCommand,
  PutLifecyclePolicyCommand,
  type Repository,
} from '@aws-sdk/client-ecr';
import { canonicalJson } from '../core/canonical-json.ts';
import { type AwsCalls, awsCalls } from './aws-calls.ts';
import { clientSettings, ONE_TRY } from './client-settings.ts';
import { decodeLogin } from './decode-login.ts';
import type { AwsWorld, EcrApi, RepositoryFacts, WantedRepository } from './ecr-api.ts';
import { allImages, pageOf, removeOne } from './ecr-images.ts';
import type { EcrRegistry } from './ecr-registry.ts';
import { hasNoCredentials, isNamed, mayNotAsk } from './failure.ts';
import { fixedTags, MOVABLE } from './fixed-tags.ts';
import { ifAllowed } from './if-allowed.ts';
import { manifestInput } from './manifest-input.ts';
import { noRepository } from './no-repository.ts';
import { checkRepositoryName } from './repository-name.ts';
import type { RepositorySettings } from './repository-settings.ts';

type PrivateRegistry = EcrRegistry & { readonly kind: 'private' };

/** ECR's own interface in one region (API version 2015-09-21). */
export function openEcrPrivate(registry: PrivateRegistry, world: AwsWorld): EcrApi {
  const { region, isFips, isDualStack, account } = registry;
  const settings = clientSettings(world, 'ECR', region);
  const own = 'endpoint' in settings ? {} : { useFipsEndpoint: isFips, useDualstackEndpoint: isDualStack };
  const client = new ECRClient({ ...settings, ...own });
  const asking = new ECRClient({ ...settings, ...own, ...ONE_TRY });
  const calls = awsCalls('ecr', world);
  return {
    login: async () => {
      const what = `cannot log in to ECR of ${account} in ${region}`;
      const asked = await calls.callUnless(hasNoCredentials, 'GetAuthorizationToken', what, () =>
        client.send(new GetAuthorizationTokenCommand({})),
      );
      return asked && decodeLogin(asked.authorizationData?.[0] ?? {}, world);
    },
    ensureRepository: (wanted) => ensure({ client, calls, world, account, region }, wanted),
    // HEAD answers that.
    heldBlobs: async () => undefined,
    showPage: async () => {},
    mountsBlobs: async () => {
      const what = `cannot look up the settings of ECR of ${account} in ${region}`;
      const setting = await calls.callUnless(mayNotAsk, 'GetAccountSetting', what, () =>
        client.send(new GetAccountSettingCommand({ name: 'BLOB_MOUNTING' })),
      );
      return setting?.value !== 'DISABLED';
    },
    storeManifest: async (repository, manifest, reference) => {
      const what = `cannot store an image in ${repository} in ECR of ${account} in ${region}`;
      const stored = await calls.callUnless(hasNoCredentials, 'PutImage', what, () =>
        asking.send(
          new PutImageCommand({
            registryId: account,
            repositoryName: repository,
            ...manifestInput(manifest, reference),
          }),
        ),
      );
      return stored !== undefined;
    },
    images: (repositoryName, digest) =>
      allImages(calls, `${repositoryName} in ECR of ${account} in ${region}`, (nextToken) =>
        client.send(new DescribeImagesCommand({ registryId: account, repositoryName, ...pageOf(digest, nextToken) })),
      ),
    removeImage: (repositoryName, image) => {
      const imageIds = [image];
      return removeOne(calls, `${repositoryName} in ECR of ${account} in ${region}`, () =>
        client.send(new BatchDeleteImageCommand({ registryId: account, repositoryName, imageIds })),
      );
    },
  };
}

interface Session {
  readonly client: ECRClient;
  readonly calls: AwsCalls;
  readonly world: AwsWorld;
  readonly account: string;
  readonly region: string;
}

async function ensure(
  { client, calls, world, account, region }: Session,
  wanted: WantedRepository,
): Promise<RepositoryFacts> {
  const { repository, mayCreate, settings } = wanted;
  checkRepositoryName('ECR', `${account}.dkr.ecr.${region}.amazonaws.com/${repository}`, repository);
  const place = `${repository} in ECR of ${account} in ${region}`;
  const named = { registryId: account, repositoryName: repository };
  const describe = () =>
    calls.callUnless(
      isNamed('RepositoryNotFoundException'),
      'DescribeRepositories',
      `cannot look up ${place}`,
      async () => {
        const { repositories } = await client.send(
          new DescribeRepositoriesCommand({ registryId: account, repositoryNames: [repository] }),
        );
        return repositories?.[0];
      },
    );
  const answer = await ifAllowed(place, wanted, world.log, describe);
  if (answer === undefined) return MOVABLE;
  let { found } = answer;
  if (found === undefined && !mayCreate) throw noRepository(place);
  if (found === undefined) {
    const made = await calls.callUnless(
      isNamed('RepositoryAlreadyExistsException'),
      'CreateRepository',
      `cannot create ${place}`,
      () => client.send(new CreateRepositoryCommand({ ...named, ...creationOf(settings) })),
    );
    // Another job was faster; what it set need not be what is wanted here.
    found = made?.repository ?? (await describe()) ?? {};
    if (made) world.log.info(`created ${place}`);
  }
  if (settings) await keepUpToDate(found, settings, { client, calls, named, place, world });
  return fixedTags({ ...found, ...mutabilityOf(settings ?? {}) });
}

function mutabilityOf({ immutableTags }: Partial<RepositorySettings>) {
  if (immutableTags === undefined) return undefined;
  if (typeof immutableTags === 'boolean') {
    return { imageTagMutability: immutableTags ? ('IMMUTABLE' as const) : ('MUTABLE' as const) };
  }
  return {
    imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' as const,
    imageTagMutabilityExclusionFilters: immutableTags.except.map((filter) => ({
      filterType: 'WILDCARD' as const,
      filter,
    })),
  };
}

function creationOf(settings: RepositorySettings | undefined) {
  if (settings === undefined) return {};
  const { scanOnPush, encryption } = settings;
  return {
    ...mutabilityOf(settings),
    ...(scanOnPush === undefined ? {} : { imageScanningConfiguration: { scanOnPush } }),
    ...(encryption === undefined
      ? {}
      : {
          encryptionConfiguration: {
            encryptionType: encryption.type,
            ...(encryption.key === undefined ? {} : { kmsKey: encryption.key }),
          },
        }),
  };
}

interface Upkeep extends Pick<Session, 'client' | 'calls' | 'world'> {
  readonly named: { readonly registryId: string; readonly repositoryName: string };
  readonly place: string;
}

/** Sets what differs; nothing is sent where all is as wanted. */
async function keepUpToDate(found: Repository, settings: RepositorySettings, upkeep: Upkeep): Promise<void> {
  const { client, calls, named, place, world } = upkeep;
  const cannot = `cannot change the settings of ${place}`;
  const mutability = mutabilityOf(settings);
  if (mutability && !isSameMutability(found, mutability)) {
    await calls.call('PutImageTagMutability', cannot, () =>
      client.send(new PutImageTagMutabilityCommand({ ...named, ...mutability })),
    );
  }
  const { scanOnPush, encryption, lifecyclePolicy } = settings;
  if (scanOnPush !== undefined && found.imageScanningConfiguration?.scanOnPush !== scanOnPush) {
    await calls.call('PutImageScanningConfiguration', cannot, () =>
      client.send(new PutImageScanningConfigurationCommand({ ...named, imageScanningConfiguration: { scanOnPush } })),
    );
  }
  const is = found.encryptionConfiguration?.encryptionType;
  if (encryption !== undefined && is !== undefined && is !== encryption.type) {
    world.log.warn(`${place} is encrypted with ${is}, not ${encryption.type}: that is fixed when a repository is made`);
  }
  if (lifecyclePolicy === undefined) return;
  const policy = await calls.callUnless(isNamed('LifecyclePolicyNotFoundException'), 'GetLifecyclePolicy', cannot, () =>
    client.send(new GetLifecyclePolicyCommand(named)),
  );
  if (sameJson(policy?.lifecyclePolicyText, lifecyclePolicy)) return;
  await calls.call('PutLifecyclePolicy', cannot, () =>
    client.send(new PutLifecyclePolicyCommand({ ...named, lifecyclePolicyText: lifecyclePolicy })),
  );
}

const filtersOf = (of: Pick<Repository, 'imageTagMutabilityExclusionFilters'>): string =>
  (of.imageTagMutabilityExclusionFilters ?? [])
    .map(({ filter }) => filter)
    .sort()
    .join('\n');

const isSameMutability = (found: Repository, wanted: NonNullable<ReturnType<typeof mutabilityOf>>): boolean =>
  found.imageTagMutability === wanted.imageTagMutability && filtersOf(found) === filtersOf(wanted);

/** ECR may write a policy in another way than it was given. */
function sameJson(a: string | undefined, b: string): boolean {
  if (a === undefined) return false;
  try {
    return canonicalJson(JSON.parse(a)) === canonicalJson(JSON.parse(b));
  } catch {
    return a === b;
  }
}
