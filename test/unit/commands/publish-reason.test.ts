import { expect, test } from 'vitest';
import type { Places } from '../../../src/commands/places.ts';
import { whyNoLogin, whyNotInRun } from '../../../src/commands/publish-reason.ts';
import type { RunTags } from '../../../src/commands/tags.ts';
import type { Job } from '../../../src/github/job.ts';
import { parseDestinationLine } from '../../../src/publish/destination-line.ts';

const JOB: Job = {
  runId: '7',
  attempt: 1,
  job: 'plan',
  actor: 'octocat',
  isFork: false,
  isDependabot: false,
  isMergeQueue: false,
};

const tagged = (tags: Readonly<Record<string, readonly string[]>>): Pick<RunTags, 'any' | 'applies'> => ({
  any: Object.values(tags).flat().length > 0,
  applies: (image) => (tags[image] ?? []).length > 0,
});

test.each<[string, Partial<Job>, Pick<RunTags, 'any' | 'applies'> | undefined, RegExp | undefined]>([
  ['a push', {}, undefined, undefined],
  ["a fork's pull request", { isFork: true }, undefined, /fork/],
  ['a merge queue', { isMergeQueue: true }, undefined, /merge queue/],
  ['no rule that applies', {}, tagged({}), /no rule of `tags`/],
  ['rules that apply to other images', {}, tagged({ other: ['v1'] }), /no rule of `tags`/],
  ['a rule that applies to one image', {}, tagged({ web: ['v1'] }), undefined],
])('%s', (_name, job, tags, why) => {
  const found = whyNotInRun({ ...JOB, ...job }, tags, ['app', 'web']);
  if (why) expect(found).toMatch(why);
  else expect(found).toBeUndefined();
});

test.each([
  ['Dependabot without a login', true, false, /no login for docker\.io\/acme\/\{name\}/],
  ['Dependabot with one', true, true, undefined],
  ['anybody else, who is told by the registry', false, false, undefined],
])('%s', async (_name, isDependabot, hasLogin, why) => {
  const hasCredentials: Places['hasCredentials'] = async (place) =>
    hasLogin && place.kind === 'registry' && place.reference.host === 'docker.io';
  const places = { hasCredentials } as unknown as Places;
  const wanted = {
    to: [parseDestinationLine('docker.io/acme/{name}'), parseDestinationLine('quay.io/acme/{name} may-fail')],
    names: ['app'],
  };
  const found = await whyNoLogin({ ...JOB, isDependabot }, wanted, places);
  if (why) expect(found).toMatch(why);
  else expect(found).toBeUndefined();
});
