import { parseAge } from '../core/age.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { pullStates } from '../github/rest/pull-states.ts';
import { defineCommand } from '../host/command.ts';
import { flag, integer, lines, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { PrunePlace } from '../prune/place.ts';
import { checkPolicy, parseKeepLast, parseMaxAge, parseTagPattern } from '../prune/policy.ts';
import { type AskPulls, type Pruned, prunePlace } from '../prune/prune.ts';
import { openAmiCloud } from './ami-cloud.ts';
import { type AmiPruneInputs, amiPruneInputs, openAmiPlaces } from './ami-places.ts';
import { homeRegion } from './ami-pointers.ts';
import { openGitHubPlace, parsePrunePlace, repositoryAt } from './github-places.ts';
import type { OidcInputs } from './oidc.ts';
import { type Places, placesOf } from './places.ts';
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
  summary: 'Remove what is old by a policy: images, AMIs, and what GitHub keeps, by number, name or age, and previews.',
  description:
    'For repositories of registries, packages at ghcr.io, ECR, ECR Public and OCI layouts, and for caches, artifacts and releases at GitHub. Nothing that stays loses an image of its index, a signature or an ' +
    'SBOM; those of what goes go with it. A tag stays when any rule keeps it. Look at what would go first: `--dry-run`.',
  inputs: {
    places: lines({
      description:
        'Repository of images, without a tag: `ghcr.io/org/app`, or `oci:DIR`; or what GitHub keeps: `github:caches`, `github:artifacts`, ' +
        '`github:drafts`, `github:prereleases`, `github:releases`, `github:assets`; or AMIs: `ami:IMAGE` in all regions, `ami:IMAGE@REGION,REGION`, `ami:*`.',
      placeholder: 'PLACE',
      positional: true,
      required: true,
      parse: parsePrunePlace,
    }),
    keepLast: lines({
      description:
        'Keep the newest so many, such as `10`, or `5 of nightly-*` for the names that match; older ones go.',
      placeholder: 'N',
      parse: parseKeepLast,
    }),
    maxAge: lines({
      description:
        'Keep what is younger, such as `90d` or `14d of sha-*` (hours `h`, days `d`, weeks `w`); older ones go.',
      placeholder: 'AGE',
      parse: parseMaxAge,
    }),
    keepTags: lines({
      description:
        'Keep these tags, or other names, whatever else is said: a glob such as `v*`, or a range of versions such as `>=1.2 <3`.',
      placeholder: 'PATTERN',
      parse: parseTagPattern,
    }),
    untagged: text({
      description:
        'Remove what has had no tag for so long, such as `7d`, and signatures whose image is gone. Shorter than a build takes is dangerous.',
      placeholder: 'AGE',
      parse: parseAge,
    }),
    ...amiPruneInputs,
    closedPreviews: flag({
      description:
        'Remove the previews of closed pull requests (`pr-N`, `pr-N-COMMIT`), and their caches. No other rule is about those then, but `keep-tags`.',
    }),
    keepHistory: integer({
      description: 'Keep so many images that a channel meant before, as `promote` recorded it: `rollback` leads there.',
      placeholder: 'N',
      default: 1,
      min: 0,
    }),
    repository: text({
      description: 'Repository at GitHub: of pull requests, caches, artifacts and releases. Default: that of the job.',
      placeholder: 'OWNER/NAME',
      parse: parseRepository,
    }),
    dryRun: flag({ description: 'Show what would go, why, and how many bytes that is; remove nothing.' }),
    limit: integer({
      description: 'Refuse a policy that removes more from a place, manifests and tags each counted.',
      placeholder: 'N',
      default: LIMIT,
      min: 0,
    }),
    force: flag({
      description:
        'Allow a policy that leaves nothing, or no tagged image which is whole, and one that takes the latest release.',
    }),
    ...registryInputs,
    token: secret({
      description:
        "Token for ghcr.io, and for GitHub's REST interface, by which packages, pull requests, caches, artifacts and releases are asked for.",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
      actionDefault: '${{ github.token }}',
    }),
  },
  outputs: {
    removed: 'Number of what was removed, or would be; of images manifests and tags.',
    freed: 'Bytes that nothing there stores any more. Registries free them when they clean up.',
    json: 'What was removed and what stays, with the reasons, as JSON.',
  },
  async run(inputs, host): Promise<Pruned[]> {
    const { keepLast, maxAge, keepTags, untagged, closedPreviews, keepHistory } = inputs;
    const policy = { keepLast, maxAge, keepTags, untagged, closedPreviews, keepHistory, used: inputs.launchedWithin };
    checkPolicy(policy);
    const askPulls = pullsOf(inputs, host);
    const places = await placesOf(host, inputs);
    const pruned: Pruned[] = [];
    const { dryRun, force, limit } = inputs;
    const options = { policy, askPulls, dryRun, force, limit, log: host.log, clock: systemClock };
    for (const one of inputs.places) {
      for (const place of await openPlaces(one, { inputs, places, host })) {
        try {
          pruned.push(await prunePlace(place, options));
        } finally {
          await place.close();
        }
      }
    }
    return pruned;
  },
  present: presentPrune,
});

interface Opening {
  readonly inputs: AmiPruneInputs & GitHubInputs & OidcInputs;
  readonly places: Places;
  readonly host: Host;
}

interface GitHubInputs {
  readonly repository: string | undefined;
  readonly token: string | undefined;
  readonly force: boolean;
}

/** What a line stands for; of AMIs that is a place for each image and system. */
async function openPlaces(
  one: ReturnType<typeof parsePrunePlace>,
  { inputs, places, host }: Opening,
): Promise<PrunePlace[]> {
  const { repository, token, force: isForced } = inputs;
  if (one.kind === 'github') return [openGitHubPlace(one, { repository, token, isForced }, host)];
  if (one.kind !== 'ami') return [await openPrunePlace(one, places, { token }, host)];
  const home = homeRegion(host, one.regions);
  const { cloud } = await openAmiCloud(home, inputs, host, systemClock);
  return await openAmiPlaces(one, inputs, { ...host, cloud, clock: systemClock }, home);
}

interface PullInputs {
  readonly closedPreviews: boolean;
  readonly repository: string | undefined;
  readonly token: string | undefined;
}

/** Throws UserError before anything is read where pull requests are needed and cannot be asked for. */
function pullsOf({ closedPreviews, repository, token }: PullInputs, host: Host): AskPulls {
  if (!closedPreviews) return async () => new Map();
  const of = repositoryAt(repository, host, 'closed-previews asks which pull requests are closed');
  const api = gitHubApi(host, token, {
    what: "closed-previews asks GitHub's REST interface for pull requests",
    docs: 'retention.md#places',
  });
  return (numbers) => pullStates({ ...api, repository: of }, numbers);
}
