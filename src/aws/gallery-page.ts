import {
  type ECRPUBLICClient,
  GetRepositoryCatalogDataCommand,
  PutRepositoryCatalogDataCommand,
  type RepositoryCatalogData,
} from '@aws-sdk/client-ecr-public';
import type { AwsCalls } from './aws-calls.ts';
import { isNamed } from './failure.ts';
import type { Catalogue } from './repository-settings.ts';

/** What is known of a page: nothing in it is undefined. */
export type GivenCatalogue = { [K in keyof Catalogue]: NonNullable<Catalogue[K]> };

export const givenOf = (catalogue: Catalogue): GivenCatalogue =>
  Object.fromEntries(Object.entries(catalogue).filter(([, value]) => value !== undefined)) as GivenCatalogue;

interface Page {
  readonly client: ECRPUBLICClient;
  readonly calls: AwsCalls;
  /** Of the repository, as AWS calls it. */
  readonly name: string;
  readonly place: string;
}

/**
 * Has the gallery show what is wanted of a repository. PutRepositoryCatalogData replaces all of it, so what is not given is
 * sent as it is; nothing is sent where nothing differs.
 */
export async function keepPage({ client, calls, name, place }: Page, wanted: GivenCatalogue): Promise<void> {
  if (Object.keys(wanted).length === 0) return;
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
  const kept = givenOf({ description, architectures, operatingSystems, aboutText, usageText });
  await calls.call('PutRepositoryCatalogData', cannot, () =>
    client.send(new PutRepositoryCatalogDataCommand({ repositoryName: name, catalogData: { ...kept, ...wanted } })),
  );
}

/** Names come back in an order that nobody promises. */
const comparable = (value: unknown): string => JSON.stringify(Array.isArray(value) ? value.toSorted() : value);

/** A logo that is there is believed to be the one that is given: AWS gives back an address and not the bytes. */
const isSame = (is: RepositoryCatalogData, { logoImageBlob, ...texts }: GivenCatalogue): boolean =>
  (logoImageBlob === undefined || is.logoUrl !== undefined) &&
  Object.entries(texts).every(
    ([name, value]) => comparable(is[name as keyof RepositoryCatalogData]) === comparable(value),
  );
