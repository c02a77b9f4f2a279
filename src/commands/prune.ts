import { parseAge } from '../core/age.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { pullStates } from '../github/rest/pull-states.ts';
import { defineCommand } from '../host/command.ts';
import { flag, integer, lines, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { checkPolicy, parseKeepLast, parseMaxAge, parseTagPattern } from '../prune/policy.ts';
import { type AskPulls, type Pruned, prunePlace } from '../prune/prune.ts';
import { parsePlace } from './naming.ts';
import { placesOf } from './places.ts';
import { presentPrune } from './present-prune.ts';
import { gitHubApi, openPrunePlace } from './prune-places.ts';
import { registryInputs } from './shared-inputs.ts';

/** Manifests and tags: an image for two systems with signatures is five or so, and GitHub takes 1,000 requests an hour. */
const LIMIT = 300;

/** `OWNER/NAME`. */
function parseRepository(name: string): string {
  if (/^[\w.-]+\/[\w.-]+$/.test(name)) return name;
  throw new UserError('input', `${JSON.stringify(name)} is not the name of a repository`, {
    hint: 'Write OWNER/NAME, as in its address at GitHub.',
  });
}

export const prune = defineCommand({
  name: 'prune',
  summary: 'Remove old images by a policy: what is kept by number, tag or age, untagged ones, and previews.',
  description:
    'For repositories of registries, packages at ghcr.io, ECR, ECR Public and OCI layouts. Nothing that stays loses an image of its index, a signature or an ' +
    'SBOM; those of what goes go with it. A tag stays when any rule keeps it. Look at what would go first: `--dry-run`.',
  inputs: {
    images: lines({
      description: 'Repository of images, without a tag: `ghcr.io/org/app`, or `oci:DIR`.',
      placeholder: 'PLACE',
      positional: true,
      required: true,
      parse: parsePlace,
    }),
    keepLast: lines({
      description:
        'Keep the newest so many images, such as `10`, or `5 of nightly-*` for the tags that match; older ones go.',
      placeholder: 'N',
      parse: parseKeepLast,
    }),
    maxAge: lines({
      description:
        'Keep images that are younger, such as `90d` or `14d of sha-*` (hours `h`, days `d`, weeks `w`); older ones go.',
      placeholder: 'AGE',
      parse: parseMaxAge,
    }),
    keepTags: lines({
      description:
        'Keep these tags whatever else is said: a glob such as `v*`, or a range of versions such as `>=1.2 <3`.',
      placeholder: 'PATTERN',
      parse: parseTagPattern,
    }),
    untagged: text({
      description:
        'Remove what has had no tag for so long, such as `7d`, and signatures whose image is gone. Shorter than a build takes is dangerous.',
      placeholder: 'AGE',
      parse: parseAge,
    }),
    closedPreviews: flag({
      description:
        'Remove the previews of closed pull requests (`pr-N`, `pr-N-COMMIT`). No other rule is about previews then, but `keep-tags`.',
    }),
    keepHistory: integer({
      description: 'Keep so many images that a channel meant before, as `promote` recorded it: `rollback` leads there.',
      placeholder: 'N',
      default: 1,
      min: 0,
    }),
    repository: text({
      description: "Repository at GitHub that previews' pull requests are of. Default: that of the job.",
      placeholder: 'OWNER/NAME',
      parse: parseRepository,
    }),
    dryRun: flag({ description: 'Show what would go, why, and how many bytes that is; remove nothing.' }),
    limit: integer({
      description: 'Refuse a policy that removes more manifests and tags than this from a place.',
      placeholder: 'N',
      default: LIMIT,
      min: 0,
    }),
    force: flag({ description: 'Allow a policy that leaves no tagged image which is whole.' }),
    ...registryInputs,
    token: secret({
      description:
        "Token for ghcr.io, and for GitHub's REST interface, by which packages there and pull requests are asked for.",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
      actionDefault: '${{ github.token }}',
    }),
  },
  outputs: {
    removed: 'Number of manifests and tags that were removed, or would be.',
    freed: 'Bytes that nothing there stores any more. Registries free them when they clean up.',
    json: 'What was removed and what stays, with the reasons, as JSON.',
  },
  async run(inputs, host): Promise<Pruned[]> {
    const { keepLast, maxAge, keepTags, untagged, closedPreviews, keepHistory, token } = inputs;
    const policy = { keepLast, maxAge, keepTags, untagged, closedPreviews, keepHistory };
    checkPolicy(policy);
    const askPulls = pullsOf(inputs, host);
    const places = await placesOf(host, inputs);
    const pruned: Pruned[] = [];
    for (const image of inputs.images) {
      const place = await openPrunePlace(image, places, { token }, host);
      try {
        const { dryRun, force, limit } = inputs;
        const options = { policy, askPulls, dryRun, force, limit, log: host.log, clock: systemClock };
        pruned.push(await prunePlace(place, options));
      } finally {
        await place.close();
      }
    }
    return pruned;
  },
  present: presentPrune,
});

interface PullInputs {
  readonly closedPreviews: boolean;
  readonly repository: string | undefined;
  readonly token: string | undefined;
}

/** Throws UserError before anything is read where pull requests are needed and cannot be asked for. */
function pullsOf({ closedPreviews, repository: given, token }: PullInputs, host: Host): AskPulls {
  if (!closedPreviews) return async () => new Map();
  const repository = given ?? host.env('GITHUB_REPOSITORY');
  if (repository === undefined) {
    throw new UserError('input', 'missing repository: closed-previews asks which pull requests are closed', {
      hint: 'Give it: --repository OWNER/NAME.',
      docs: 'retention.md',
    });
  }
  const api = gitHubApi(host, token, "closed-previews asks GitHub's REST interface for pull requests");
  return (numbers) => pullStates({ ...api, repository }, numbers);
}
