import { boolean, list, number, type Shape, string, structure, timestamp } from './shapes.ts';

/** One operation of a service: what it takes and gives. */
export interface Operation {
  readonly input: Shape;
  readonly output: Shape;
}

/** A service as its model says: the names that requests carry, and its operations. */
export interface Service {
  /** Before the dot of X-Amz-Target. */
  readonly target: string;
  /** In the scope of a signature, and before the colon of an action of IAM's. */
  readonly signingName: string;
  readonly operations: Readonly<Record<string, Operation>>;
}

const registryId = string({ pattern: /[0-9]{12}/ });
const token = structure({
  authorizationToken: string({ pattern: /\S+/ }),
  expiresAt: timestamp,
  proxyEndpoint: string(),
});

const ecrName = string({
  min: 2,
  max: 256,
  pattern: /[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*/,
});
const mutability = string({ values: ['MUTABLE', 'IMMUTABLE', 'IMMUTABLE_WITH_EXCLUSION', 'MUTABLE_WITH_EXCLUSION'] });
const filters = list(
  structure(
    {
      filterType: string({ values: ['WILDCARD'] }),
      filter: string({ min: 1, max: 128, pattern: /[0-9a-zA-Z._*-]{1,128}/ }),
    },
    ['filterType', 'filter'],
  ),
  { min: 1, max: 5 },
);
const scanning = structure({ scanOnPush: boolean });
const encryption = structure(
  { encryptionType: string({ values: ['AES256', 'KMS', 'KMS_DSSE'] }), kmsKey: string({ min: 1, max: 2048 }) },
  ['encryptionType'],
);
const policy = string({ min: 100, max: 30_720 });
const settingName = string({ min: 1, max: 64 });
const manifest = string({ min: 1, max: 4 * 1024 * 1024 });
const imageId = structure({ imageDigest: string(), imageTag: string({ min: 1, max: 300 }) });
const given = { imageManifest: manifest, imageManifestMediaType: string() };
const putImage = (named: Readonly<Record<string, Shape>>): Operation => ({
  input: structure({ ...named, ...given, imageTag: string({ min: 1, max: 300 }), imageDigest: string() }, [
    'repositoryName',
    'imageManifest',
  ]),
  output: structure({ image: structure({ ...named, imageId, ...given }) }),
});
const imageIds = list(imageId, { min: 1, max: 100 });
const FAILURES = [
  ...['InvalidImageDigest', 'InvalidImageTag', 'ImageTagDoesNotMatchDigest', 'ImageNotFound', 'MissingDigestAndTag'],
  ...['ImageReferencedByManifestList', 'KmsError'],
];
const describeImages = (named: Readonly<Record<string, Shape>>): Operation => ({
  input: structure({ ...named, imageIds, nextToken: string(), maxResults: number({ min: 1, max: 1000 }) }, [
    'repositoryName',
  ]),
  output: structure({
    imageDetails: list(
      structure({
        ...named,
        imageDigest: string(),
        imageTags: list(string({ min: 1, max: 300 })),
        imageSizeInBytes: number(),
        imagePushedAt: timestamp,
        imageManifestMediaType: string(),
      }),
    ),
    nextToken: string(),
  }),
});
const batchDeleteImage = (named: Readonly<Record<string, Shape>>, more: readonly string[] = []): Operation => ({
  input: structure({ ...named, imageIds }, ['repositoryName', 'imageIds']),
  output: structure({
    imageIds,
    failures: list(
      structure({ imageId, failureCode: string({ values: [...FAILURES, ...more] }), failureReason: string() }),
    ),
  }),
});
const ecrNamed = { registryId, repositoryName: ecrName };
const ecrSettings = {
  imageTagMutability: mutability,
  imageTagMutabilityExclusionFilters: filters,
  imageScanningConfiguration: scanning,
  encryptionConfiguration: encryption,
};
const described = { registryId, repositoryUri: string(), createdAt: timestamp };
const ecrRepository = structure({ ...described, repositoryArn: string(), repositoryName: ecrName, ...ecrSettings });
const describeInput = (name: Shape): Shape =>
  structure({
    registryId,
    repositoryNames: list(name, { min: 1, max: 100 }),
    nextToken: string(),
    maxResults: number({ min: 1, max: 1000 }),
  });

/** ECR, 2015-09-21. */
export const ECR: Service = {
  target: 'AmazonEC2ContainerRegistry_V20150921',
  signingName: 'ecr',
  operations: {
    GetAuthorizationToken: {
      input: structure({ registryIds: list(registryId, { min: 1, max: 10 }) }),
      output: structure({ authorizationData: list(token) }),
    },
    DescribeRepositories: {
      input: describeInput(ecrName),
      output: structure({ repositories: list(ecrRepository), nextToken: string() }),
    },
    CreateRepository: {
      input: structure({ ...ecrNamed, ...ecrSettings }, ['repositoryName']),
      output: structure({ repository: ecrRepository }),
    },
    PutImage: putImage(ecrNamed),
    GetAccountSetting: {
      input: structure({ name: settingName }, ['name']),
      output: structure({ name: settingName, value: settingName }),
    },
    PutImageTagMutability: {
      input: structure({ ...ecrNamed, imageTagMutability: mutability, imageTagMutabilityExclusionFilters: filters }, [
        'repositoryName',
        'imageTagMutability',
      ]),
      output: structure({ ...ecrNamed, imageTagMutability: mutability, imageTagMutabilityExclusionFilters: filters }),
    },
    PutImageScanningConfiguration: {
      input: structure({ ...ecrNamed, imageScanningConfiguration: scanning }, [
        'repositoryName',
        'imageScanningConfiguration',
      ]),
      output: structure({ ...ecrNamed, imageScanningConfiguration: scanning }),
    },
    DescribeImages: describeImages(ecrNamed),
    BatchDeleteImage: batchDeleteImage(ecrNamed, [
      ...['UpstreamAccessDenied', 'UpstreamTooManyRequests', 'UpstreamUnavailable', 'ImageInaccessible'],
    ]),
    GetLifecyclePolicy: {
      input: structure(ecrNamed, ['repositoryName']),
      output: structure({ ...ecrNamed, lifecyclePolicyText: policy, lastEvaluatedAt: timestamp }),
    },
    PutLifecyclePolicy: {
      input: structure({ ...ecrNamed, lifecyclePolicyText: policy }, ['repositoryName', 'lifecyclePolicyText']),
      output: structure({ ...ecrNamed, lifecyclePolicyText: policy }),
    },
  },
};

const publicName = string({
  min: 2,
  max: 205,
  pattern: /(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/,
});
const shortNames = list(string({ min: 1, max: 50 }), { max: 50 });
const shown = {
  description: string({ max: 1024 }),
  architectures: shortNames,
  operatingSystems: shortNames,
  aboutText: string({ max: 25_600 }),
  usageText: string({ max: 25_600 }),
};
const catalogueInput = structure({ ...shown, logoImageBlob: { type: 'blob', max: 512_000 } });
const catalogue = structure({ ...shown, logoUrl: string({ max: 2048 }), marketplaceCertified: boolean });
const arn = string({ min: 1, max: 2048 });
const publicRepository = structure({ ...described, repositoryArn: arn, repositoryName: publicName });
const publicAliased = { registryId: string({ min: 2, max: 50 }), repositoryName: publicName };
const publicNamed = { registryId, repositoryName: publicName };

/** ECR Public, 2020-10-30. */
export const ECR_PUBLIC: Service = {
  target: 'SpencerFrontendService',
  signingName: 'ecr-public',
  operations: {
    GetAuthorizationToken: {
      input: structure({}),
      output: structure({
        authorizationData: structure({ authorizationToken: string({ pattern: /\S+/ }), expiresAt: timestamp }),
      }),
    },
    DescribeRegistries: {
      input: structure({ nextToken: string(), maxResults: number({ min: 1, max: 1000 }) }),
      output: structure(
        {
          registries: list(
            structure(
              {
                registryId,
                registryArn: arn,
                registryUri: string(),
                verified: boolean,
                aliases: list(
                  structure(
                    {
                      name: string({ min: 2, max: 50, pattern: /[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*/ }),
                      status: string({ values: ['ACTIVE', 'PENDING', 'REJECTED'] }),
                      primaryRegistryAlias: boolean,
                      defaultRegistryAlias: boolean,
                    },
                    ['name', 'status', 'primaryRegistryAlias', 'defaultRegistryAlias'],
                  ),
                ),
              },
              ['registryId', 'registryArn', 'registryUri', 'verified', 'aliases'],
            ),
          ),
          nextToken: string(),
        },
        ['registries'],
      ),
    },
    DescribeRepositories: {
      input: describeInput(publicName),
      output: structure({ repositories: list(publicRepository), nextToken: string() }),
    },
    CreateRepository: {
      input: structure({ repositoryName: publicName, catalogData: catalogueInput }, ['repositoryName']),
      output: structure({ repository: publicRepository, catalogData: catalogue }),
    },
    GetRepositoryCatalogData: {
      input: structure(publicNamed, ['repositoryName']),
      output: structure({ catalogData: catalogue }),
    },
    PutRepositoryCatalogData: {
      input: structure({ ...publicNamed, catalogData: catalogueInput }, ['repositoryName', 'catalogData']),
      output: structure({ catalogData: catalogue }),
    },
    PutImage: putImage(publicAliased),
    DescribeImages: describeImages(publicNamed),
    BatchDeleteImage: batchDeleteImage(publicAliased),
    BatchCheckLayerAvailability: {
      input: structure(
        {
          ...publicAliased,
          layerDigests: list(string({ max: 1000 }), { min: 1, max: 100 }),
        },
        ['repositoryName', 'layerDigests'],
      ),
      output: structure({
        layers: list(
          structure({
            layerDigest: string({ pattern: /[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+/ }),
            layerAvailability: string({ values: ['AVAILABLE', 'UNAVAILABLE'] }),
            layerSize: number(),
            mediaType: string(),
          }),
        ),
        failures: list(
          structure({
            layerDigest: string({ max: 1000 }),
            failureCode: string({ values: ['InvalidLayerDigest', 'MissingLayerDigest'] }),
            failureReason: string(),
          }),
        ),
      }),
    },
  },
};
