import { kebab } from '../host/names.ts';
import { MOST_OUTPUT_BYTES, outputBytes } from '../plan/output-limit.ts';
import { digestReferences, imageJson, imageMetadata } from '../publish/outputs.ts';
import { failedDestinations, heldOf, references } from '../publish/report.ts';
import type { PublishedImage } from './publish-image.ts';
import type { PublishedFiles } from './published-files.ts';

/** A disk may be published in several forms, under one name. */
export const shownName = ({ name, form }: PublishedImage): string => (form === undefined ? name : `${name} as=${form}`);

/** The outputs of a publish; `sole` is the image, where one was to be published. */
function allOutputs(
  images: readonly PublishedImage[],
  files: readonly PublishedFiles[],
  sole: PublishedImage | undefined,
) {
  const places = files.flatMap(({ targets }) => targets);
  return {
    digest: sole ? digestOf(sole) : '',
    digests: byName(images, digestOf),
    references: images.flatMap(({ targets }) => references(targets)).join('\n'),
    digestReferences: images.flatMap(({ published, targets }) => digestReferences(published, targets)).join('\n'),
    files: places.flatMap((place) => place.files).join('\n'),
    failedDestinations: [
      ...images.flatMap(({ targets }) => failedDestinations(targets)),
      ...places.flatMap(({ name, failure }) => (failure === undefined ? [] : [name])),
    ].join('\n'),
    json: byName(images, ({ published, targets }) => imageJson(published, targets)),
    metadata: JSON.stringify(sole ? imageMetadata(sole.published, sole.targets) : {}),
  };
}

type Outputs = ReturnType<typeof allOutputs>;

const digestOf = ({ published, targets }: PublishedImage): string => heldOf(published, targets).digest;

const byName = <T>(images: readonly PublishedImage[], of: (image: PublishedImage) => T): string =>
  JSON.stringify(Object.fromEntries(images.map((image) => [shownName(image), of(image)])));

/**
 * The outputs, of hundreds of images without what the rest says too, as far as GitHub would fail the job for their length although everything
 * is published. `shortened` are the names of those that do not have everything: of `json` only the digests are left, so that whoever looks for an
 * image in it finds it, and of the others nothing.
 */
export function publishOutputs(
  images: readonly PublishedImage[],
  files: readonly PublishedFiles[],
  sole: PublishedImage | undefined,
): { readonly outputs: Outputs; readonly shortened: readonly string[] } {
  let outputs = allOutputs(images, files, sole);
  const shorter: Partial<Outputs>[] = [
    { json: byName(images, (image) => ({ digest: digestOf(image) })) },
    { references: '' },
    { digestReferences: '' },
  ];
  const shortened: string[] = [];
  for (const one of shorter) {
    if (outputBytes(outputs) <= MOST_OUTPUT_BYTES) break;
    outputs = { ...outputs, ...one };
    shortened.push(...Object.keys(one).map(kebab));
  }
  return { outputs, shortened };
}
