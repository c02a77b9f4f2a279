import { readFile } from 'node:fs/promises';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import type { Job } from '../github/job.ts';
import { type PullEvent, readPullEvent } from '../github/pull-event.ts';
import { type PullRequests, pullRequests } from '../github/rest/pull-requests.ts';
import { defineCommand } from '../host/command.ts';
import { type InputsOf, lines, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { parseBudget } from '../preview/budget.ts';
import type { Preview } from '../preview/preview-text.ts';
import { readRunImages } from '../preview/published.ts';
import { parseRegistryLine } from '../publish/destination-line.ts';
import { parseLocationTemplate } from '../storage/location-template.ts';
import { jobOf } from './github.ts';
import { placesOf } from './places.ts';
import { type PreviewResult, presentPreview } from './present-preview.ts';
import { comparePreviews } from './preview-compare.ts';
import { commentKey, commentPreview, JOB_LOGIN } from './preview-report.ts';
import { registryInputs } from './shared-inputs.ts';

const inputs = {
  to: lines({
    description:
      'Where the images of pull requests go, as `publish` takes it: `ghcr.io/org/{name}`, where `{name}` is the name of the image. ' +
      'Of several, the first is compared.',
    placeholder: 'DEST',
    required: true,
    parse: parseRegistryLine,
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
  summary: 'Comment on a pull request what became of its images: how to pull them, sizes, and which packages changed.',
  description:
    'One comment, updated by each push. It is for the events of `pull_request` (docs/previews.md); in the run of a fork it ' +
    'writes the summary alone, for nothing of it is published and its token may not comment.',
  inputs,
  outputs: {
    overBudget: 'Images that weigh more than they may, one per line.',
    json: 'The comparison as JSON.',
  },
  run: (given, host): Promise<PreviewResult> => runPreview(given, host, systemClock),
  present: presentPreview,
});

interface Previewing {
  readonly given: PreviewInputs;
  readonly job: Job;
  readonly pulls: PullRequests;
  readonly host: Host;
  readonly clock: Clock;
}

/** The command, with a clock that a test may make. */
export async function runPreview(given: PreviewInputs, host: Host, clock: Clock): Promise<PreviewResult> {
  const job = await jobOf(host);
  if (job === undefined) throw notARun();
  const event = await readPullEvent({ env: host.env, readFile: (path) => readFile(path, 'utf8') });
  if (event.kind !== 'pull') throw notAPull(event);
  const pulls = openPulls(given.token, host);
  if (event.isClosed) return { kind: 'closed', number: event.number };
  return await report(event, { given, job, pulls, host, clock });
}

type OpenPull = Extract<PullEvent, { readonly kind: 'pull' }>;

async function report(event: OpenPull, { given, job, pulls, host, clock }: Previewing): Promise<PreviewResult> {
  const { number, headCommit } = event;
  const [to] = given.to;
  if (to === undefined) throw new TypeError('to is required');
  const places = await placesOf(host, given);
  const images = readRunImages(given.images, given.published);
  const preview: Preview = {
    number,
    commit: headCommit ?? null,
    runUrl: runUrl(job, host),
    unpublished: job.isFork ? 'It comes from a fork: its images are built and tested, and nothing is published.' : null,
    images: await comparePreviews(images, {
      ...{ to, base: given.base, branch: event.base, number },
      ...{ budgets: given.budget, places, host },
    }),
  };
  if (job.isFork) return { kind: 'report', preview, comment: 'none', error: undefined };
  // A build may end after the pull request was closed.
  if (!(await pulls.read(number)).isOpen) return { kind: 'closed', number };
  const key = commentKey(
    given.name,
    given.to.map(({ line }) => line),
    host,
  );
  const identity = { key, run: job.runId, attempt: job.attempt, author: given.author };
  try {
    const { kind } = await commentPreview(preview, job, { pulls, identity, clock, host });
    return { kind: 'report', preview, comment: kind, error: undefined };
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    // What there is to say stands in the summary, and the run fails when that is written.
    return { kind: 'report', preview, comment: 'none', error };
  }
}

/** GitHub's REST interface for the pull requests of the job's repository. Throws UserError `credentials` without a token. */
function openPulls(token: string | undefined, { env, fetch, log, signal }: Host): PullRequests {
  if (token === undefined) {
    throw new UserError('credentials', 'missing token: pull requests are read and commented on by it', {
      hint: 'Leave the input token out; its default is the token of the run.',
      docs: 'previews.md',
    });
  }
  const url = env('GITHUB_API_URL') ?? 'https://api.github.com';
  return pullRequests({ url, token, repository: env('GITHUB_REPOSITORY') ?? '', fetch, log, signal });
}

const runUrl = ({ runId }: Job, { env }: Host): string =>
  `${env('GITHUB_SERVER_URL') ?? 'https://github.com'}/${env('GITHUB_REPOSITORY') ?? ''}/actions/runs/${runId}`;

const notARun = (): UserError =>
  new UserError('input', 'preview is for workflow runs: it comments on the pull request that a run is for', {
    hint: 'To compare images here, use nix-images diff.',
    docs: 'previews.md',
  });

const notAPull = (event: Exclude<PullEvent, OpenPull>): UserError =>
  new UserError(
    'input',
    `the event ${event.kind === 'other' ? event.name : 'of the run'} is not that of a pull request`,
    {
      hint: "Run it on pull_request. In pull_request_target, a stranger's code would run with secrets.",
      docs: 'previews.md',
    },
  );
