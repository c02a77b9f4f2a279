import type { ErrorCode } from '../../core/error.ts';

/** What registries answer in words of their own, where a status and a code of the specification tell too little. */
interface Saying {
  /** Looked for in the codes and the text of the answer. */
  readonly says: RegExp;
  /** What it is, where the status says something else. */
  readonly code?: ErrorCode;
  readonly hint: string;
  readonly docs?: string;
}

/** How GitHub says that a user or an app did too much at once: with 403, in the words of an error of rights. */
export const SECONDARY_LIMIT = /exceeded a secondary rate limit/i;

/** How Docker Hub says that the pulls of the last six hours are used up. Its limit for requests has other words. */
export const PULLS_USED_UP = /\bpull rate limit\b/i;

const FULL_HINT =
  'The place where the registry keeps blobs is full, or a quota is used up. Make room there and run again; what has arrived is not sent again.';

/** The first that fits counts. */
const SAYINGS: readonly Saying[] = [
  {
    says: SECONDARY_LIMIT,
    code: 'registry',
    hint: 'GitHub limits how much is written at once. Run again in some minutes, or fewer jobs at the same time.',
  },
  {
    says: PULLS_USED_UP,
    code: 'registry',
    hint: 'Docker Hub counts pulls over six hours, those of nobody by address. Log in to docker.io (docker login, or the input registry-auth), wait, or read the image from a mirror.',
  },
  {
    // Harbor's quota is a 403; storage behind a registry says it with status 500, mostly.
    says: /no space left|ENOSPC|disk (is )?full|quota (exceeded|has been)|not enough quota|exceed the configured upper limit|over ?quota/i,
    code: 'registry',
    hint: FULL_HINT,
  },
  {
    says: /permission_denied: write_package/i,
    hint: 'The package is not linked to this repository, or its job may not write. Give the job packages: write; in the settings of the package, under "Manage Actions access", give the repository the role Write.',
  },
  {
    says: /installation not allowed to (create|write) organization package/i,
    hint: 'Give the job packages: write. Where it has that, the settings of the organization forbid it (Packages, Actions), or the package of that name belongs to another repository.',
  },
  {
    says: /token provided does not match expected scopes/i,
    hint: 'The login of ghcr.io is a personal access token without the scope write:packages. Give it that scope; in a job, its own token with packages: write will do.',
  },
  {
    says: /requested installation does not exist/i,
    hint: "The token of a job may write packages of its repository's owner alone. Name that owner after ghcr.io/, or log in with a token of the other one (the input registry-password).",
  },
  {
    says: /artifactregistry\.repositories\.\w+/i,
    hint: 'Log in for this very host, with an account that has the role Artifact Registry Writer. The repository (PROJECT/REPOSITORY before the name of the image) must exist.',
  },
  {
    says: /reqPackageAccess/,
    hint: 'Log in to Gitea or Forgejo with an access token that has write:package, for an owner whose packages this user may write.',
  },
  {
    says: /PROJECTPOLICYVIOLATION/,
    hint: 'A policy of the Harbor project does not let this image be read (vulnerabilities, signatures). Change the policy, or have the image allowed.',
  },
  {
    says: /REGISTRY_DISALLOWED_OPERATION/,
    hint: 'The tag, the image or the repository is locked in Azure (az acr repository update --write-enabled true unlocks it), or a policy of the registry forbids this.',
  },
  {
    says: /MANIFEST_INVALID.*HTTP 403/is,
    hint: 'Artifactory does not let this login overwrite the tag. Give it the right to delete and overwrite, or use a new tag.',
  },
  {
    says: /MANIFEST_INVALID.*unknown media type/is,
    hint: 'GitLab takes the types of artifacts that it knows, and container images. Publish this to another registry; a disk goes there with as=container-disk, too.',
  },
  {
    says: /MANIFEST_INVALID.*(?:match schema|unsupported (?:config|manifest|media))/is,
    hint: 'Quay takes an OCI index of OCI images, a Docker list of Docker images, and the types that its config.yaml allows. Publish all platforms in one format.',
  },
];

/** Answers of registries are JSON; where there is none, a web server says with a page that it has no such thing. */
const PAGE = /^<(?:!doctype|html)/i;

const NO_REGISTRY: Omit<Saying, 'says'> = {
  hint: 'What answers there is a web page, not a registry. Registries have /v2/ at the root of a host.',
  docs: 'registries.md#a-registry-below-a-path',
};

/**
 * What is known of an answer with this status, these codes and this text; undefined for what the specification says
 * enough of.
 */
export function sayingOf(status: number, codes: readonly string[], text: string): Omit<Saying, 'says'> | undefined {
  // RFC 4918, 11.5: no words are needed.
  if (status === 507) return { code: 'registry', hint: FULL_HINT };
  if (status === 404 && PAGE.test(text)) return NO_REGISTRY;
  return SAYINGS.find(({ says }) => says.test(`${codes.join(' ')}: ${text}`));
}
