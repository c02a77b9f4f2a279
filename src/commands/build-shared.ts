import { z } from 'zod';
import { countText } from '../core/count.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { choice, lines, text } from '../host/fields.ts';
import { realiseDerivations } from '../nix/realise.ts';
import { SYSTEMS, type System, systemSchema } from '../oci/system.ts';
import { type NeededJob, neededJobs } from '../plan/matrix.ts';
import type { PlannedImage } from '../plan/plan.ts';
import { toolImagePaths } from '../plan/recipes.ts';
import { tellImages } from './built-images.ts';
import { openNixFor } from './open-nix.ts';
import { imagesOf, sourcesOf } from './plan-sources.ts';
import { nixInputs, variantInputs } from './shared-inputs.ts';
import { sharedAmong } from './shared-work.ts';
import { systemHere } from './system-here.ts';

/** What of a plan's matrix says which build jobs there will be. */
const matrixSchema = z.object({
  include: z.array(z.object({ images: z.string(), system: systemSchema, buildSystem: systemSchema })).max(256),
});

interface BuildJob {
  /** Names of its images. */
  readonly names: readonly string[];
  readonly system: System;
  readonly buildSystem: System;
}

function parseMatrix(json: string): readonly BuildJob[] {
  const matrix = tryDecodeJson(json, matrixSchema);
  if (matrix) return matrix.include.map(({ images, ...job }) => ({ ...job, names: images.split('\n') }));
  throw new UserError('input', 'not a valid matrix: expected the output jobs of the action plan');
}

interface BuiltShared {
  readonly derivations: readonly string[];
  readonly images: readonly string[];
}

/** The images of each build job; without a matrix each has a job of its own for each system. */
function batchesOfMatrix(images: readonly PlannedImage[], jobs: readonly BuildJob[] | undefined): NeededJob[][] {
  const all = neededJobs({ images: [...images] });
  if (jobs === undefined) return all.map((one) => [one]);
  return jobs.map(({ names, system }) =>
    all.filter(({ image, job }) => job.system === system && names.includes(image.name)),
  );
}

export const buildShared = defineCommand({
  name: 'build-shared',
  summary: 'Build what several images need, before their build jobs.',
  description:
    'Evaluates the images and builds on this machine what two of them or more need and no cache has; no image. Where a cache of store paths is saved afterwards, ' +
    'as by the action `cache`, the build jobs take it from there. The output `shared` of `plan` says whether it pays.\n\n' +
    'What does not build is an error, and all else is built: build jobs that need it say the same.',
  inputs: {
    flake: lines({ description: 'The flake. Default: `.`.', placeholder: 'FLAKE', positional: true }),
    matrix: text({
      description:
        'The output `jobs` (or `matrix`) of `plan`: the build jobs that there will be. Default: one for each image and system.',
      placeholder: 'JSON',
      parse: parseMatrix,
    }),
    system: choice(SYSTEMS, {
      description: "System that builds, where it is emulated. Default: this machine's.",
    }),
    ...variantInputs,
    ...nixInputs,
  },
  outputs: { derivations: 'How many derivations are shared, and are built now.' },
  async run(inputs, host): Promise<BuiltShared> {
    const sources = sourcesOf(inputs.flake, inputs.file, inputs.attr);
    const here = inputs.system ?? systemHere();
    const jobs = inputs.matrix?.filter(({ buildSystem }) => buildSystem === here);
    if (jobs?.length === 0) return { derivations: [], images: [] };
    const nix = await openNixFor(host, inputs);
    const systems = jobs === undefined ? [here] : [...new Set(jobs.map(({ system }) => system))];
    const globs = [...new Set(jobs?.flatMap(({ names }) => names))];
    const options = { systems, variants: inputs.nixosVariants, globs };
    const { images, recipes } = await imagesOf(sources, options, nix, host);
    const shared = await sharedAmong(batchesOfMatrix(images, jobs), recipes, nix, host);
    const found = shared.find(({ system }) => system === here);
    tellImages(host, toolImagePaths(recipes));
    if (found === undefined) return { derivations: [], images: [] };
    const { derivations, images: needing } = found;
    await host.log.group(`Building what ${countText(needing.length, 'image')} share`, async () =>
      realiseDerivations(nix, derivations, { gcRootDir: await host.tempDir() }),
    );
    return { derivations, images: needing };
  },
  present: ({ derivations, images }) => ({
    outputs: { derivations: String(derivations.length) },
    data: { schemaVersion: 1, derivations, images },
    text:
      derivations.length === 0
        ? 'nothing that images share has to be built'
        : `built ${countText(derivations.length, 'derivation')} that ${countText(images.length, 'image')} share`,
  }),
});
