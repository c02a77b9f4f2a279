import type { RepositoryFacts } from '../aws/ecr-api.ts';
import { type RepositorySettings, readRepositorySettings } from '../aws/repository-settings.ts';
import { UserError } from '../core/error.ts';
import { flag, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Location } from '../storage/location.ts';
import type { FindEcr } from './ecr.ts';
import { galleryFacts } from './gallery.ts';

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

/** Whether a tag of a repository, by the name that storage gives it (`docker://HOST/REPOSITORY`), cannot be moved. */
export type IsFixed = (repository: string, tag: string) => boolean;

/** Repositories of AWS before and after a publish. */
interface Repositories {
  /** Makes sure that they exist and are set up, each once in a run. Throws UserError as `EcrApi.ensureRepository` does. */
  prepare(destinations: readonly Location[]): Promise<IsFixed>;
  /** Has galleries show what was published. What goes wrong is a warning: the image is there. */
  show(destinations: readonly Location[], manifest: StoredManifest): Promise<void>;
}

/** The repositories of a run that are AWS's. */
export function awsRepositories(
  { createRepository = false, repositorySettings }: Partial<RepositoryInputs>,
  ecr: FindEcr,
  { cwd, log }: Pick<Host, 'cwd' | 'log'>,
): Repositories {
  const prepared = new Map<string, Promise<RepositoryFacts | undefined>>();
  const read = new Map<string, Promise<RepositorySettings>>();
  const settingsFor = async (repository: string): Promise<RepositorySettings | undefined> => {
    if (repositorySettings === undefined) return undefined;
    const name = repository.slice(repository.lastIndexOf('/') + 1);
    const known = read.get(name) ?? readRepositorySettings(repositorySettings, cwd, name);
    read.set(name, known);
    return known;
  };
  const prepare = async (host: string, repository: string): Promise<RepositoryFacts | undefined> => {
    const api = await ecr(host);
    return api?.ensureRepository({
      repository,
      mayCreate: createRepository,
      settings: await settingsFor(repository),
    });
  };
  const showPage = async (host: string, repository: string, manifest: StoredManifest): Promise<void> => {
    try {
      const api = await ecr(host);
      await api?.showPage({ repository, settings: await settingsFor(repository), image: galleryFacts(manifest) });
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      // Nobody asked for a page where there are no settings.
      const note = [error.message, error.hint].filter(Boolean).join('. ');
      if (repositorySettings === undefined) log.info(note);
      else log.warn(note);
    }
  };
  return {
    prepare: async (destinations) => {
      const facts = new Map<string, RepositoryFacts>();
      for (const destination of destinations) {
        if (destination.kind !== 'registry') continue;
        const { host, repository } = destination.reference;
        const key = `docker://${host}/${repository}`;
        const done = prepared.get(key) ?? prepare(host, repository);
        prepared.set(key, done);
        const known = await done;
        if (known) facts.set(key, known);
      }
      return (repository, tag) => facts.get(repository)?.isFixed(tag) ?? false;
    },
    show: async (destinations, manifest) => {
      // Who asked for neither a repository nor settings sees to the page.
      if (!createRepository && repositorySettings === undefined) return;
      for (const destination of destinations) {
        if (destination.kind !== 'registry') continue;
        await showPage(destination.reference.host, destination.reference.repository, manifest);
      }
    },
  };
}
