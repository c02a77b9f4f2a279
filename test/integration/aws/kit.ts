import { onTestFinished } from 'vitest';
import { placesOf } from '../../../src/commands/places.ts';
import { Connections } from '../../../src/host/connections.ts';
import type { Host } from '../../../src/host/host.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { type AwsEmulator, type AwsOptions, startAwsEmulator } from '../../emulators/aws/emulator.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

export const PRIVATE = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';
export const PUBLIC = 'public.ecr.aws';

type Mode = 'private' | 'public';

/** How the registries of AWS are all the time; the README of the emulator says where each was reported. */
const modes = (mode: Mode, aws: AwsEmulator, scheme: 'http' | 'https'): EmulatorOptions => {
  const { passwordState } = aws.store;
  const exists = (name: string): boolean => {
    const key = mode === 'private' ? `eu-central-1/${name}` : `public/${name.replace(/^[^/]+\//, '')}`;
    return aws.store.repositories.has(key);
  };
  return mode === 'private'
    ? {
        auth: {
          scheme: 'basic',
          passwordState,
          ended: { status: 403, body: 'Your Authorization Token has expired. Please run aws ecr get-login-password.' },
        },
        repositories: { exists, missing: 'cut' },
      }
    : {
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
      };
};

export interface Aws {
  readonly aws: AwsEmulator;
  readonly registry: RegistryEmulator;
  readonly host: Host & { readonly log: ReturnType<typeof memoryLog> };
  open(
    reference: string,
    inputs?: Record<string, unknown>,
  ): Promise<{ prepare(): Promise<void>; repository: Repository }>;
}

/** An emulated account with one registry, and everything of the program above the network. */
export const startAws = async (
  mode: Mode,
  options: AwsOptions = {},
  { env = {}, scheme = 'https' }: { env?: Record<string, string>; scheme?: 'http' | 'https' } = {},
): Promise<Aws> => {
  const aws = await startAwsEmulator(options);
  onTestFinished(() => aws.stop());
  const registry = await startEmulator(modes(mode, aws, scheme));
  onTestFinished(() => registry.stop());
  aws.tie(registry);
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
  const host = {
    kind: 'terminal' as const,
    env: (name: string) => variables[name] || undefined,
    cwd: (await uniqueTempDir()).path,
    program: new URL('file:///nonexistent'),
    log: memoryLog(),
    exec: async () => {
      throw new Error('no program is to be run');
    },
    fetch: onLoopback,
    signal: new AbortController().signal,
    tempDir: async () => (await uniqueTempDir()).path,
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
      return { prepare: () => places.prepare([location]), repository: places.openForWriting(location) };
    },
  };
};
