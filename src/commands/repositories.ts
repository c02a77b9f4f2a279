import { type RepositorySettings, readRepositorySettings } from '../aws/repository-settings.ts';
import { flag, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { Location } from '../storage/location.ts';
import type { FindEcr } from './ecr.ts';

/** Inputs of every command that writes to registries in which a repository must be made before it is written to. */
export const repositoryInputs = {
  createRepository: flag({
    description: 'Create the repository in Amazon ECR or ECR Public if it does not exist.',
  }),
  repositorySettings: text({
    description:
      'Settings of the repository in Amazon ECR (immutable tags, scans, encryption, lifecycle) or ECR Public (its page in the ' +
      'gallery), kept up to date: JSON, or the file that holds it (docs/registries.md).',
    placeholder: 'SETTINGS',
  }),
} as const;

/** What a command's inputs say about repositories. */
export interface RepositoryInputs {
  readonly createRepository: boolean;
  readonly repositorySettings: string | undefined;
}

/** Makes sure that repositories exist and are set up, each once in a run. */
export function preparedRepositories(
  { createRepository = false, repositorySettings }: Partial<RepositoryInputs>,
  ecr: FindEcr,
  { cwd }: Pick<Host, 'cwd'>,
): (destinations: readonly Location[]) => Promise<void> {
  const prepared = new Map<string, Promise<void>>();
  let read: Promise<RepositorySettings> | undefined;
  const settings = async (): Promise<RepositorySettings | undefined> => {
    if (repositorySettings === undefined) return undefined;
    read ??= readRepositorySettings(repositorySettings, cwd);
    return read;
  };
  const prepare = async (destination: Location): Promise<void> => {
    if (destination.kind !== 'registry') return;
    const { host, repository } = destination.reference;
    const api = ecr(host);
    if (api === undefined) return;
    const key = `${host}/${repository}`;
    const done =
      prepared.get(key) ??
      (async () =>
        (await api).ensureRepository({ repository, mayCreate: createRepository, settings: await settings() }))();
    prepared.set(key, done);
    await done;
  };
  return async (destinations) => {
    for (const destination of destinations) await prepare(destination);
  };
}
