import type { AwsStore, StoredRepository } from './store.ts';

/** An error as AWS names it. */
export class AwsError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

export interface Call {
  readonly input: Readonly<Record<string, unknown>>;
  readonly region: string;
  readonly store: AwsStore;
  /** Milliseconds that a token lives. */
  readonly lifetime: number;
  /** Aliases of the account in ECR Public. */
  readonly aliases: readonly string[];
  readonly accountSettings: Readonly<Record<string, string>>;
  readonly refusesImages: readonly [type: string, message: string] | undefined;
}

type Handler = (call: Call) => object;

const TARGET = { ecr: ({ region }: Call) => region, 'ecr-public': () => 'public' } as const;

type ServiceName = keyof typeof TARGET;

const keyOf = (service: ServiceName, call: Call, name: unknown): string => `${TARGET[service](call)}/${String(name)}`;

const lookUp = (service: ServiceName, call: Call, name: unknown = call.input.repositoryName): StoredRepository => {
  const found = call.store.repositories.get(keyOf(service, call, name));
  if (found) return found;
  throw new AwsError(
    'RepositoryNotFoundException',
    `The repository with name '${String(name)}' does not exist in the registry with id '${call.store.account}'`,
  );
};

const describe = (service: ServiceName, call: Call, name: unknown) => ({
  repositoryArn: `arn:aws:${service}:${service === 'ecr' ? call.region : ''}:${call.store.account}:repository/${String(name)}`,
  registryId: call.store.account,
  repositoryName: name,
  createdAt: 1_790_000_000.5,
  ...lookUp(service, call, name).settings,
});

const describeRepositories =
  (service: ServiceName): Handler =>
  (call) => ({
    repositories: ((call.input.repositoryNames ?? []) as unknown[]).map((name) => describe(service, call, name)),
  });

const create = (service: ServiceName, call: Call, repository: StoredRepository): object => {
  const name = call.input.repositoryName;
  const key = keyOf(service, call, name);
  if (call.store.repositories.has(key)) {
    throw new AwsError('RepositoryAlreadyExistsException', `The repository with name '${String(name)}' already exists`);
  }
  call.store.repositories.set(key, repository);
  return { repository: describe(service, call, name) };
};

const issue = ({ store, lifetime }: Call) => {
  const { password, expires } = store.issue(lifetime);
  return { authorizationToken: Buffer.from(`AWS:${password}`).toString('base64'), expiresAt: expires / 1000 };
};

/** A logo comes back as an address. */
const stored = ({ logoImageBlob, ...texts }: Record<string, unknown>): Record<string, unknown> =>
  logoImageBlob === undefined ? texts : { ...texts, logoUrl: 'https://d3g9o9u8re44ak.cloudfront.net/logo/1/logo.png' };

/** What the registry calls a repository. */
const pathOf = (service: ServiceName, { input }: Call): string =>
  service === 'ecr' ? String(input.repositoryName) : `${String(input.registryId)}/${String(input.repositoryName)}`;

const putImage =
  (service: ServiceName): Handler =>
  (call) => {
    lookUp(service, call);
    if (call.refusesImages) throw new AwsError(...call.refusesImages);
    const { imageManifest, imageManifestMediaType, imageTag, imageDigest } = call.input;
    const reference = String(imageTag ?? imageDigest);
    const registry = call.store.registries.get(TARGET[service](call));
    registry?.store.putManifest(
      pathOf(service, call),
      reference,
      Buffer.from(String(imageManifest)),
      String(imageManifestMediaType),
    );
    return { image: { imageId: { ...(imageTag ? { imageTag } : {}), imageDigest } } };
  };

/** The repository in the registry, whoever named it: these operations know no alias. */
const heldBy = (service: ServiceName, call: Call) => {
  lookUp(service, call);
  const name = String(call.input.repositoryName);
  const path = service === 'ecr' ? name : `${call.aliases[0]}/${name}`;
  const registry = call.store.registries.get(TARGET[service](call));
  if (registry === undefined) throw new AwsError('ServerException', 'no registry is tied');
  return { store: registry.store, path };
};

/** Images on a page: few, so that there are several. */
const IMAGES = 3;

const describeImages =
  (service: ServiceName): Handler =>
  (call) => {
    const { store, path } = heldBy(service, call);
    const asked = call.input.imageIds as readonly { readonly imageDigest?: string }[] | undefined;
    const all = [...store.manifests(path)].filter(
      ([digest]) => asked === undefined || asked.some(({ imageDigest }) => imageDigest === digest),
    );
    if (asked && all.length === 0) throw new AwsError('ImageNotFoundException', 'The image does not exist');
    const start = Number(call.input.nextToken ?? 0);
    const imageDetails = all.slice(start, start + IMAGES).map(([imageDigest, { bytes, mediaType, at }]) => {
      const imageTags = [...store.tags(path)].filter(([, of]) => of === imageDigest).map(([tag]) => tag);
      return {
        ...{ registryId: call.store.account, repositoryName: call.input.repositoryName, imageDigest },
        ...(imageTags.length > 0 ? { imageTags } : {}),
        ...{ imageSizeInBytes: bytes.length, imagePushedAt: at / 1000, imageManifestMediaType: mediaType },
      };
    });
    return { imageDetails, ...(start + IMAGES < all.length ? { nextToken: String(start + IMAGES) } : {}) };
  };

interface ImageId {
  readonly imageDigest?: string;
  readonly imageTag?: string;
}

/** A digest takes all its tags, and is refused while an index names it; a tag goes alone, and the last one takes the image. */
const batchDeleteImage =
  (service: ServiceName): Handler =>
  (call) => {
    const { store, path } = heldBy(service, call);
    const failures: object[] = [];
    const imageIds: ImageId[] = [];
    const remove = ({ imageDigest, imageTag }: ImageId): string | undefined => {
      const digest = imageDigest ?? store.tags(path).get(imageTag ?? '');
      if (digest === undefined || !store.manifests(path).has(digest)) return 'ImageNotFound';
      const tags = [...store.tags(path)].filter(([, of]) => of === digest);
      if (imageTag !== undefined && tags.length > 1) {
        store.removeManifest(path, imageTag);
        return undefined;
      }
      const isNamed = [...store.manifests(path).values()].some(({ bytes }) =>
        (JSON.parse(bytes.toString()).manifests ?? []).some((child: { digest: string }) => child.digest === digest),
      );
      if (isNamed) return 'ImageReferencedByManifestList';
      store.deleteManifest(path, digest);
      return undefined;
    };
    for (const imageId of call.input.imageIds as readonly ImageId[]) {
      const failureCode = remove(imageId);
      if (failureCode === undefined) imageIds.push(imageId);
      else failures.push({ imageId, failureCode, failureReason: `Requested image: ${failureCode}` });
    }
    return { ...(imageIds.length > 0 ? { imageIds } : {}), failures };
  };

export const ECR_HANDLERS: Readonly<Record<string, Handler>> = {
  GetAuthorizationToken: (call) => ({
    authorizationData: [
      { ...issue(call), proxyEndpoint: `https://${call.store.account}.dkr.ecr.${call.region}.amazonaws.com` },
    ],
  }),
  DescribeRepositories: describeRepositories('ecr'),
  CreateRepository: (call) => {
    const { registryId: _registry, repositoryName: _name, ...given } = call.input;
    const usual = { imageTagMutability: 'MUTABLE', encryptionConfiguration: { encryptionType: 'AES256' } };
    return create('ecr', call, { settings: { ...usual, ...given } });
  },
  PutImage: putImage('ecr'),
  DescribeImages: describeImages('ecr'),
  BatchDeleteImage: batchDeleteImage('ecr'),
  GetAccountSetting: ({ input, accountSettings }) => ({
    name: input.name,
    value: accountSettings[String(input.name)] ?? 'ENABLED',
  }),
  PutImageTagMutability: (call) => {
    const { settings } = lookUp('ecr', call);
    const { imageTagMutability, imageTagMutabilityExclusionFilters: filters } = call.input;
    settings.imageTagMutability = imageTagMutability;
    delete settings.imageTagMutabilityExclusionFilters;
    if (filters !== undefined) settings.imageTagMutabilityExclusionFilters = filters;
    return call.input;
  },
  PutImageScanningConfiguration: (call) => {
    lookUp('ecr', call).settings.imageScanningConfiguration = call.input.imageScanningConfiguration;
    return call.input;
  },
  GetLifecyclePolicy: (call) => {
    const { lifecyclePolicy } = lookUp('ecr', call);
    if (lifecyclePolicy === undefined)
      throw new AwsError('LifecyclePolicyNotFoundException', 'Lifecycle policy does not exist');
    // Written in another way than it came.
    return { lifecyclePolicyText: JSON.stringify(JSON.parse(lifecyclePolicy), undefined, 1) };
  },
  PutLifecyclePolicy: (call) => {
    lookUp('ecr', call).lifecyclePolicy = String(call.input.lifecyclePolicyText);
    return call.input;
  },
};

export const ECR_PUBLIC_HANDLERS: Readonly<Record<string, Handler>> = {
  GetAuthorizationToken: (call) => {
    if (call.region === 'us-east-1') return { authorizationData: issue(call) };
    throw new AwsError('UnsupportedCommandException', 'GetAuthorizationToken command is only supported in us-east-1.');
  },
  DescribeRegistries: ({ store, aliases }) => ({
    registries: [
      {
        registryId: store.account,
        registryArn: `arn:aws:ecr-public::${store.account}:registry/${store.account}`,
        registryUri: `public.ecr.aws/${aliases[0] ?? ''}`,
        verified: false,
        aliases: aliases.map((name, at) => ({
          name,
          status: 'ACTIVE',
          primaryRegistryAlias: at === 0,
          defaultRegistryAlias: at === 0,
        })),
      },
    ],
  }),
  DescribeRepositories: describeRepositories('ecr-public'),
  CreateRepository: (call) => {
    const catalogue = call.input.catalogData as Record<string, unknown> | undefined;
    const repository = catalogue ? { settings: {}, catalogue: stored(catalogue) } : { settings: {} };
    return { ...create('ecr-public', call, repository), ...(catalogue ? { catalogData: stored(catalogue) } : {}) };
  },
  GetRepositoryCatalogData: (call) => {
    const { catalogue } = lookUp('ecr-public', call);
    if (catalogue) return { catalogData: catalogue };
    throw new AwsError('RepositoryCatalogDataNotFoundException', 'The repository catalog data does not exist');
  },
  PutRepositoryCatalogData: (call) => {
    const repository = lookUp('ecr-public', call);
    repository.catalogue = stored(call.input.catalogData as Record<string, unknown>);
    return { catalogData: repository.catalogue };
  },
  PutImage: putImage('ecr-public'),
  DescribeImages: describeImages('ecr-public'),
  BatchDeleteImage: batchDeleteImage('ecr-public'),
  BatchCheckLayerAvailability: (call) => {
    lookUp('ecr-public', call);
    const path = pathOf('ecr-public', call);
    const blobs = (call.input.layerDigests as string[]).map((layerDigest) => ({
      layerDigest,
      blob: call.store.registries.get('public')?.store.blob(path, layerDigest),
    }));
    return {
      layers: blobs.map(({ layerDigest, blob }) =>
        blob
          ? { layerDigest, layerAvailability: 'AVAILABLE', layerSize: blob.bytes.length }
          : { layerDigest, layerAvailability: 'UNAVAILABLE' },
      ),
      failures: [],
    };
  },
};
