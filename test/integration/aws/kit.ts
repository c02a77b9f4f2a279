import { onTestFinished } from 'vitest';
import { placesOf } from '../../../src/commands/places.ts';
import type { IsFixed } from '../../../src/commands/repositories.ts';
import { Connections } from '../../../src/host/connections.ts';
import type { Host } from '../../../src/host/host.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { type AwsEmulator, type AwsOptions, startAwsEmulator } from '../../emulators/aws/emulator.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

export const PRIVATE = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';
export const PUBLIC = 'public.ecr.aws';

type Mode = 'private' | 'public';

/** Where a registry of the emulated account is: ECR Public, or a region of ECR. */
export type Place = 'public' | 'eu-central-1' | 'us-east-1';

/** The host of a registry, as references name it. */
export const hostOf = (place: Place): string =>
  place === 'public' ? PUBLIC : `123456789012.dkr.ecr.${place}.amazonaws.com`;

interface RegistryModes {
  readonly scheme: 'http' | 'https';
  /** Ends the registry's first token once so many requests to write were answered well. */
  readonly endsAfter?: number | undefined;
  readonly more?: EmulatorOptions;
}

/** How the registries of AWS are all the time; the README of the emulator says where each was reported. */
const modes = (
  place: Place,
  aws: AwsEmulator,
  { scheme, endsAfter = Number.POSITIVE_INFINITY, more }: RegistryModes,
  requests: () => RegistryEmulator['requests'],
): EmulatorOptions => {
  let isOver = false;
  const isDue = (): boolean =>
    !isOver &&
    requests().filter(({ method, status }) => !['GET', 'HEAD'].includes(method) && [201, 202].includes(status))
      .length >= endsAfter;
  const passwordState = (username: string, password: string): 'good' | 'ended' | 'unknown' => {
    if (isDue()) {
      isOver = true;
      aws.store.end(password);
    }
    return aws.store.passwordState(username, password);
  };
  const exists = (name: string): boolean =>
    aws.store.repositories.has(`${place}/${place === 'public' ? name.replace(/^[^/]+\//, '') : name}`);
  return {
    ...(place === 'public'
      ? {
          auth: {
            scheme: 'token',
            realm: `${scheme}://${PUBLIC}/token`,
            anonymousPull: true,
            passwordState,
            ended: { status: 400, body: '' },
          },
          refusesBlobHead: true,
          hidesUploads: true,
          mount: 'upload',
          repositories: { exists, missing: 'refuse' },
        }
      : {
          auth: {
            scheme: 'basic',
            passwordState,
            ended: {
              status: 403,
              body: 'Your Authorization Token has expired. Please run aws ecr get-login-password.',
            },
          },
          hasStuckRange: true,
          isTerse: true,
          mount: 'named',
          referrersPerPage: 50,
          repositories: { exists, missing: 'cut' },
        }),
    ...more,
  };
};

/** A registry of an emulated account; ends with the test. */
export const startAwsRegistry = async (
  place: Place,
  aws: AwsEmulator,
  ways: RegistryModes,
): Promise<RegistryEmulator> => {
  const registry: RegistryEmulator = await startEmulator(modes(place, aws, ways, () => registry.requests));
  onTestFinished(() => registry.stop());
  aws.tie(place, registry);
  return registry;
};

export interface Aws {
  readonly aws: AwsEmulator;
  readonly registry: RegistryEmulator;
  readonly host: Host & { readonly log: ReturnType<typeof memoryLog> };
  open(
    reference: string,
    inputs?: Record<string, unknown>,
  ): Promise<{
    prepare(): Promise<IsFixed>;
    show(manifest: StoredManifest): Promise<void>;
    repository: Repository;
  }>;
}

/** An emulated account with one registry, and everything of the program above the network. */
export const startAws = async (
  mode: Mode,
  options: AwsOptions = {},
  {
    env = {},
    scheme = 'https',
    more = {},
  }: { env?: Record<string, string>; scheme?: 'http' | 'https'; more?: EmulatorOptions } = {},
): Promise<Aws> => {
  const aws = await startAwsEmulator(options);
  onTestFinished(() => aws.stop());
  const place = mode === 'public' ? 'public' : 'eu-central-1';
  const registry = await startAwsRegistry(place, aws, { scheme, more });
  const variables: Record<string, string> = {
    ...aws.keys,
    AWS_ENDPOINT_URL: aws.url,
    DOCKER_CONFIG: '/nonexistent',
    ...env,
  };
  const plain = createFetch(new Connections({ env: () => undefined, config: '/nonexistent' }));
  const onLoopback: typeof fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return plain(url.hostname.startsWith('127.') ? url : `http://${registry.host}${url.pathname}${url.search}`, init);
  };
  const folders: TempDir[] = [];
  onTestFinished(async () => void (await Promise.all(folders.map((folder) => folder.remove()))));
  const ownFolder = async (): Promise<string> => {
    const folder = await uniqueTempDir('aws');
    folders.push(folder);
    return folder.path;
  };
  const host = {
    kind: 'terminal' as const,
    env: (name: string) => variables[name] || undefined,
    cwd: await ownFolder(),
    program: new URL('file:///nonexistent'),
    log: memoryLog(),
    exec: async () => {
      throw new Error('no program is to be run');
    },
    fetch: onLoopback,
    signal: new AbortController().signal,
    tempDir: ownFolder,
    loadArtifactClient: async () => {
      throw new Error('no artifact is to be read');
    },
  };
  return {
    aws,
    registry,
    host,
    open: async (reference, inputs = {}) => {
      const places = await placesOf(host, { plainHttp: [], token: undefined, ...inputs });
      const location = parseLocation(reference);
      return {
        prepare: () => places.prepare([location]),
        show: (manifest) => places.show([location], manifest),
        repository: places.openForWriting(location),
      };
    },
  };
};
