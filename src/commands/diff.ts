import { diffImages } from '../diff/image-diff.ts';
import { diffMarkdown } from '../diff/markdown.ts';
import { diffText } from '../diff/report.ts';
import { defineCommand } from '../host/command.ts';
import { text } from '../host/fields.ts';
import { parseSide, readSide } from './diff-sides.ts';
import { openNixFor } from './open-nix.ts';
import { placesOf } from './places.ts';
import { nixInputs, registryInputs } from './shared-inputs.ts';

const SIDE = '`FLAKE#NAME`, or a place as `inspect` takes it';

const { file: _file, attr: _attr, ...evaluation } = nixInputs;

export const diff = defineCommand({
  name: 'diff',
  summary: 'Compare two images: packages, versions and sizes of both platforms.',
  description:
    'Reads manifests and configs only, never layers. Sizes of packages are those of their NARs, which images of this version say; of images that ' +
    'other tools made, packages are known as far as their history names store paths. What a flake would make is evaluated, and built only where no ' +
    'substituter knows it.',
  inputs: {
    old: text({
      description: `The image before: ${SIDE}.`,
      placeholder: 'OLD',
      positional: true,
      required: true,
      parse: parseSide,
    }),
    new: text({
      description: `The image after, in the same forms.`,
      placeholder: 'NEW',
      positional: true,
      required: true,
      parse: parseSide,
    }),
    ...evaluation,
    ...registryInputs,
  },
  outputs: {
    changed: 'Whether a package of the image changed, `true` or `false`.',
    json: 'The comparison as JSON.',
  },
  async run(inputs, host) {
    const places = await placesOf(host, inputs);
    const nix = openOnce(() => openNixFor(host, inputs));
    const tools = { host, places, nix };
    const before = await readSide(inputs.old, tools);
    return diffImages(before, await readSide(inputs.new, tools));
  },
  present: (found) => ({
    outputs: {
      changed: String(found.platforms.some(({ packages }) => packages?.length !== 0)),
      json: JSON.stringify(found),
    },
    data: { schemaVersion: 1, ...found },
    text: diffText(found),
    summary: diffMarkdown('What changed', found),
  }),
});

/** Opens on the first call, and gives the same to all that follow. */
function openOnce<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => (opened ??= open());
}
