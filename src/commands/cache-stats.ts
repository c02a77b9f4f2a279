import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type CacheState, cacheMarkdown, cacheText, imageShares } from '../cache/cache-report.ts';
import { prepareFinish } from '../cache/finish.ts';
import { SUBSTITUTER_FILES } from '../cache/substituter/run-substituter.ts';
import { type ServedStatistics, servedSchema } from '../cache/substituter/statistics.ts';
import { decodeJson } from '../core/decode-json.ts';
import { fileError } from '../core/file-error.ts';
import { defineCommand } from '../host/command.ts';
import { path } from '../host/fields.ts';
import { openHouse, placeInputs, savingInputs } from './cache-house.ts';
import { servedText } from './present-cache.ts';

interface Stats extends CacheState {
  /** What a cache that is being served has done, where its folder is named. */
  readonly served: ServedStatistics | undefined;
}

const { limit, token } = savingInputs('both');

/** Reads what a process that serves a cache has written. Throws UserError `file`. */
async function readServed(folder: string): Promise<ServedStatistics> {
  const file = join(folder, SUBSTITUTER_FILES.statistics);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(error, file, 'read');
  });
  return decodeJson(text, servedSchema, { code: 'file', what: `the statistics in ${file}` });
}

export const cacheStats = defineCommand({
  name: 'cache-stats',
  summary: 'Show what is in a cache of store paths, by system and image.',
  description:
    'Paths, bytes and the build time that they save, the largest ones, how much of the limit is used, what the store has dropped by itself and what the next merge would ' +
    'drop. In a workflow the summary has it with a chart. Nothing is changed.\n\nWhat a job took from the cache is in the summary of its action `cache`; on the ' +
    'command line, `--state` names the folder of a `cache` that is being served.',
  inputs: {
    ...placeInputs,
    limit,
    token,
    state: path({
      description: 'Folder that a running `cache` was given as `--state`: hits, bytes and build time saved so far.',
      placeholder: 'DIR',
      faces: 'cli',
    }),
  },
  outputs: { paths: 'How many paths the cache has.', bytes: 'Bytes in the cache, those of other tools too.' },
  async run(inputs, host): Promise<Stats> {
    const { world, rules, attempt } = await openHouse(host, { ...inputs, name: undefined, system: undefined });
    const { gathered, merged, plan } = await prepareFinish(world, { attempt, rules });
    const served = inputs.state === undefined ? undefined : await readServed(resolve(host.cwd, inputs.state));
    return { store: world.store.name, index: merged, plan, gone: gathered.gone, served };
  },
  present: (stats) => {
    const { store, index, plan, gone, served } = stats;
    return {
      outputs: { paths: String(index.paths.length), bytes: String(plan.before) },
      data: {
        ...{ schemaVersion: 1, cache: store, limit: plan.limit, bytes: plan.before, packs: index.packs.length },
        others: { bytes: plan.others, entries: plan.otherEntries },
        images: imageShares(stats).map(({ image = null, ...share }) => ({ image, ...share })),
        ...{ gone, dropped: plan.dropped, served: served ?? null },
      },
      text: [...(served === undefined ? [] : [servedText(served)]), cacheText(stats)].join('\n'),
      summary: cacheMarkdown(stats),
    };
  },
});
