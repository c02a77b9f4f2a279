import { defineCommand } from '../host/command.ts';
import { flag, lines } from '../host/fields.ts';
import { builtImages } from './built-images.ts';
import { cacheInputs, jobInputs } from './cache-house.ts';
import { type Saved, saveBuilt, savedText } from './cache-saving.ts';

export const cacheSave = defineCommand({
  name: 'cache-save',
  summary: 'Save what Nix has built here to a cache of store paths.',
  description:
    'Only what was built on this machine and no substituter has; no images, and nothing that takes longer to fetch than to build. What fits is decided ' +
    'before anything is sent, by the build time that a path saves for its size. What cannot be stored is a line in the log, never a failure.\n\n' +
    'Other jobs see it once `cache-merge` has run, as the last job of a run does.',
  inputs: {
    ...cacheInputs,
    ...jobInputs('both'),
    exclude: lines({
      description:
        'Store path of an image or a disk, which is not stored, nor what only it needs. Give it once for each.',
      placeholder: 'PATH',
    }),
    merge: flag({ description: 'Merge at once: this is the only job of its run that saves.' }),
  },
  outputs: { paths: 'How many paths were stored.' },
  async run(inputs, host): Promise<Saved> {
    return await saveBuilt(host, inputs, { ...inputs, exclude: [...inputs.exclude, ...(await builtImages(host))] });
  },
  present: (saved) => ({
    outputs: { paths: String(saved.paths) },
    data: { schemaVersion: 1, ...saved },
    text: savedText(saved),
  }),
});
