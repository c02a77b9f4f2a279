import { onFirstUse } from '../core/on-first-use.ts';
import { diffImages } from '../diff/image-diff.ts';
import { diffMarkdown } from '../diff/markdown.ts';
import { diffText } from '../diff/report.ts';
import { defineCommand } from '../host/command.ts';
import { text } from '../host/fields.ts';
import { parseSide, readPairs } from './diff-sides.ts';
import { openNixFor } from './open-nix.ts';
import { placesOf } from './places.ts';
import { nixInputs, registryInputs } from './shared-inputs.ts';

const SIDE =
  '`FLAKE#NAME`, a place as `inspect` takes it, or a plan (`@FILE`); beside a plan, a place has `{name}` in it, such as `ghcr.io/org/{name}:latest`';

const { file: _file, attr: _attr, ...evaluation } = nixInputs;

export const diff = defineCommand({
  name: 'diff',
  summary: 'Compare two images, or those of two plans: packages, versions and sizes of both platforms.',
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
      description: 'The image after, in the same forms.',
      placeholder: 'NEW',
      positional: true,
      required: true,
      parse: parseSide,
    }),
    ...evaluation,
    ...registryInputs,
  },
  outputs: {
    changed: 'Whether packages changed, `true` or `false`: `false` only where both sides are known to hold the same.',
    json: 'The comparison as JSON.',
  },
  async run(inputs, host) {
    const places = await placesOf(host, inputs);
    const nix = onFirstUse(() => openNixFor(host, inputs));
    const pairs = await readPairs(inputs.old, inputs.new, { host, places, nix });
    return pairs.map(({ name, old, new: now }) => ({ name, ...diffImages(old, now) }));
  },
  present: (images) => ({
    outputs: {
      changed: String(images.some(({ platforms }) => platforms.some(({ packages }) => packages?.length !== 0))),
      json: JSON.stringify({ schemaVersion: 1, images }),
    },
    data: { schemaVersion: 1, images },
    text: images.map((image) => (image.name === null ? '' : `${image.name}\n`) + diffText(image)).join('\n\n'),
    summary: images.map((image) => diffMarkdown(image.name ?? 'What changed', image)).join('\n'),
  }),
});
