import { readFile } from 'node:fs/promises';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import type { Job } from '../github/job.ts';
import { type PullEvent, readPullEvent } from '../github/pull-event.ts';
import { type PullRequests, pullRequests } from '../github/rest/pull-requests.ts';
import { defineCommand } from '../host/command.ts';
import { type InputsOf, integer, lines, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { parseBudget } from '../preview/budget.ts';
import type { Preview } from '../preview/preview-text.ts';
import { readRunImages } from '../preview/published.ts';
import type { StickyOutcome } from '../preview/sticky.ts';
import { imageLines, parseRegistryToLine, placesOfImages } from '../publish/destination-line.ts';
import { parseLocationTemplate } from '../storage/location-template.ts';
import { jobOf } from './github.ts';
import { placesOf } from './places.ts';
import { type PreviewResult, presentPreview } from './present-preview.ts';
import { closePull, dropHandovers, type PreviewRun, sweepPreviews } from './preview-close.ts';
import { comparePreviews } from './preview-compare.ts';
import { commentKey, commentPreview, JOB_LOGIN } from './preview-report.ts';
import { reportedImages } from './preview-reported.ts';
import { registryInputs } from './shared-inputs.ts';

const inputs = {
  to: lines({
    description:
      'Where the images of pull requests go, as `publish` takes it: `ghcr.io/org/{name}`, where `{name}` is the name of the image. ' +
      'Of several, the first is compared.',
    placeholder: 'DEST',
    required: true,
    parse: parseRegistryToLine,
  }),
  images: text({
    description: 'The output `images` of images.yml, or of `plan`: which images there are.',
    placeholder: 'JSON',
  }),
  published: text({
    description: 'The output `json` of images.yml, or of `publish`: what is published of them.',
    placeholder: 'JSON',
  }),
  base: text({
    description:
      'Images to compare with, as a place with `{name}` in it, such as `ghcr.io/org/{name}:v1`. Default: `to`, under the tag of the base branch.',
    placeholder: 'PLACE',
    parse: parseLocationTemplate,
  }),
  budget: lines({
    description:
      'What an image may weigh on each platform, as it is sent: `120MB` for every image, `app=80MB` for one. More is a failure, once all is told.',
    placeholder: 'SIZE',
    parse: parseBudget,
  }),
  name: text({
    description:
      'Tells the comment from others on the same pull request. Default: a hash of the name of the workflow and of `to`.',
    placeholder: 'NAME',
  }),
  pullRequest: integer({
    description:
      'In a run that a person starts: number of the closed pull request whose images are removed. Default: a sweep over all.',
    placeholder: 'N',
    min: 1,
  }),
  author: text({
    description:
      'Login that comments are written as: that of the App where `token` is of one, such as `acme-images[bot]`.',
    placeholder: 'LOGIN',
    default: JOB_LOGIN,
  }),
  ...registryInputs,
  token: secret({
    description: "Token for GitHub's REST interface, and for ghcr.io where nothing else is a login for it.",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
    actionDefault: '${{ github.token }}',
  }),
} as const;

export type PreviewInputs = InputsOf<typeof inputs>;

export const preview = defineCommand({
  name: 'preview',
  summary: 'Comment on a pull request what became of its images, and remove them when it is closed.',
  description:
    'One comment, updated by each push: how to pull the images, sizes, and which packages changed. For the events of `pull_request`, `closed` among them, ' +
    'where the images of that number are removed, and for a schedule, which removes what closing has missed (docs/previews.md). In the run of a ' +
    'fork it writes the summary alone, for nothing of it is published and its token may not comment.',
  inputs,
  outputs: {
    overBudget: 'Images that weigh more than they may, one per line.',
    removed: 'Tags that were removed, one per line, such as `ghcr.io/org/app:pr-7`.',
    json: 'The comparison, or what was removed, as JSON.',
  },
  run: (given, host): Promise<PreviewResult> => runPreview(given, host, systemClock),
  present: presentPreview,
});

/** The command, with a clock that a test may make; `second` is GitHub's, as `GitHubApi` has it. */
export async function runPreview(
  given: PreviewInputs,
  host: Host,
  clock: Clock,
  second = 1000,
): Promise<PreviewResult> {
  const job = await jobOf(host);
  if (job === undefined) throw notARun();
  const event = await readPullEvent({ env: host.env, readFile: (path) => readFile(path, 'utf8') });
  if (event.kind === 'other') throw notAPull(event.name);
  const pulls = openPulls(given.token, host, second);
  const { to, token, author } = given;
  const key = commentKey(
    given.name,
    to.map(({ line }) => line),
    host,
  );
  const identity = { key, run: job.runId, attempt: job.attempt, author };
  const places = await placesOf(host, given);
  const run: PreviewRun = {
    to: placesOfImages(to),
    token,
    places,
    pulls,
    identity,
    clock,
    host,
    second,
    url: runUrl(job, host),
  };
  if (event.kind === 'sweep' && given.pullRequest === undefined) {
    const names = readRunImages(given.images, given.published).map(({ name }) => name);
    return { kind: 'swept', swept: await sweepPreviews(names, clock.now(), run) };
  }
  const number = event.kind === 'pull' ? event.number : given.pullRequest;
  if (number === undefined) throw new TypeError('a pull request is meant');
  if (event.kind === 'pull' && !event.isClosed) return await report(event, job, given, run);
  // Nothing of a fork's was published, and its token may not write.
  if (job.isFork) return { kind: 'closed', closed: { number, isOpen: false, repositories: [], error: undefined } };
  const closed = await closePull(number, [], run);
  const branch = event.kind === 'pull' ? event.branch : undefined;
  if (!closed.isOpen && branch !== undefined) await dropHandovers(branch, run);
  return { kind: 'closed', closed };
}

const noImages = (): UserError =>
  new UserError('input', 'to names no destination of images', {
    hint: 'Name a registry where the images of pull requests go, such as ghcr.io/org/{name}.',
    docs: 'previews.md#step-by-step',
  });

type OpenPull = Extract<PullEvent, { readonly kind: 'pull' }>;

async function report(event: OpenPull, job: Job, given: PreviewInputs, run: PreviewRun): Promise<PreviewResult> {
  const { number, headCommit } = event;
  const [to] = imageLines(given.to);
  if (to === undefined) throw noImages();
  const { places, host, pulls } = run;
  const images = readRunImages(given.images, given.published);
  const preview: Preview = {
    number,
    commit: headCommit ?? null,
    runUrl: run.url,
    unpublished: job.isFork ? 'It comes from a fork: its images are built and tested, and nothing is published.' : null,
    images: await comparePreviews(images, {
      ...{ to, base: given.base, branch: event.base, number },
      ...{ budgets: given.budget, reported: reportedImages(job, host), places, host },
    }),
  };
  if (job.isFork) return { kind: 'report', preview, comment: await commentOfFork(preview, job, run), error: undefined };
  const published = preview.images.filter(({ byDigest }) => byDigest !== null).map(({ name }) => name);
  // A build may end after the pull request was closed: what it has pushed goes again. So it is asked before and after the comment.
  const isOpen = async (): Promise<boolean> => (await pulls.read(number)).isOpen;
  if (!(await isOpen())) return { kind: 'closed', closed: await closePull(number, published, run) };
  try {
    const { kind } = await commentPreview(preview, job, run);
    if (!(await isOpen())) return { kind: 'closed', closed: await closePull(number, published, run) };
    return { kind: 'report', preview, comment: kind, error: undefined };
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    // What there is to say stands in the summary, and the run fails when that is written.
    return { kind: 'report', preview, comment: 'none', error };
  }
}

/**
 * A fork's run may comment only where a private repository sends it a token that can ("Send write tokens to workflows from pull requests").
 * Elsewhere it has the summary, and there is nothing wrong.
 */
async function commentOfFork(preview: Preview, job: Job, run: PreviewRun): Promise<StickyOutcome['kind'] | 'none'> {
  try {
    return (await commentPreview(preview, job, run)).kind;
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    run.host.log.info(`no comment from a fork's run: ${error.message}`);
    return 'none';
  }
}

/** GitHub's REST interface for the pull requests of the job's repository. Throws UserError `credentials` without a token. */
function openPulls(token: string | undefined, { env, fetch, log, signal }: Host, second: number): PullRequests {
  if (token === undefined) {
    throw new UserError('credentials', 'missing token: pull requests are read and commented on by it', {
      hint: 'Leave the input token out; its default is the token of the run.',
      docs: 'previews.md#step-by-step',
    });
  }
  const url = env('GITHUB_API_URL') ?? 'https://api.github.com';
  const repository = env('GITHUB_REPOSITORY') ?? '';
  return pullRequests({ url, token, repository, fetch, log, signal, second });
}

const runUrl = ({ runId }: Job, { env }: Host): string =>
  `${env('GITHUB_SERVER_URL') ?? 'https://github.com'}/${env('GITHUB_REPOSITORY') ?? ''}/actions/runs/${runId}`;

const notARun = (): UserError =>
  new UserError('input', 'preview is for workflow runs: it comments on the pull request that a run is for', {
    hint: 'To compare images here, use nix-images diff.',
    docs: 'previews.md#step-by-step',
  });

const notAPull = (event: string): UserError =>
  new UserError('input', `the event ${event} is not that of a pull request`, {
    hint: "Run it on pull_request, or on a schedule. In pull_request_target, a stranger's code would run with secrets.",
    docs: 'previews.md#forks',
  });
