import type { Effects } from '../core/effects.ts';
import type { Clock } from '../core/retry.ts';
import type { AskIdToken } from '../github/id-token.ts';
import type { Catalogue, RepositorySettings } from './repository-settings.ts';

/** What AWS's interfaces need from the world. */
export interface AwsWorld extends Pick<Effects, 'fetch' | 'log' | 'signal'> {
  /** An environment variable; undefined when it is not set or empty. */
  readonly env: (name: string) => string | undefined;
  /** By which clients wait between tries of a request, and try more often than theirs would; undefined leaves that to them. */
  readonly clock?: Clock | undefined;
  /** Who to be in place of what the environment says; undefined for that. */
  readonly webIdentity?: WebIdentity | undefined;
}

/** A role that is assumed with the ID token of a job. */
export interface WebIdentity {
  /** Its ARN. */
  readonly role: string;
  /** Names the session in AWS's logs. */
  readonly session: string;
  readonly askToken: AskIdToken;
}

/** A user and password for `/v2/`, and when they end, in milliseconds since 1970. */
export interface EcrLogin {
  readonly username: string;
  readonly password: string;
  readonly expires: number;
}

/** How a repository is to be. */
export interface WantedRepository {
  /** As references name it, without the host. */
  readonly repository: string;
  /** Whether it is made where it does not exist. */
  readonly mayCreate: boolean;
  /** What it is set to, now and whenever it differs; undefined leaves everything as it is. */
  readonly settings: RepositorySettings | undefined;
}

/** What is known of a repository that exists, or may exist. */
export interface RepositoryFacts {
  /** Whether a tag that exists cannot be moved. */
  isFixed(tag: string): boolean;
}

/** A manifest, as it is stored. */
export interface GivenManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: string;
}

/** What ECR Public's gallery is to show of a repository. */
interface WantedPage {
  readonly repository: string;
  /** What was asked for. */
  readonly settings: RepositorySettings | undefined;
  /** What the image says, for all that was not. */
  readonly image: Pick<Catalogue, 'description' | 'architectures' | 'operatingSystems'>;
}

/** An image, or what refers to one, as ECR lists it. */
export interface EcrImage {
  readonly digest: string;
  readonly tags: readonly string[];
  /** Milliseconds since 1970. */
  readonly pushed: number | undefined;
}

/** Names an image with all its tags, or a tag alone. */
type EcrImageName = { readonly imageDigest: string } | { readonly imageTag: string };

/** What became of an image or tag that was to be deleted; `kept` where AWS does not delete it. */
export type EcrRemoval =
  | { readonly kind: 'removed' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'kept'; readonly why: string };

/** The part of ECR's interface beside `/v2/`. Everything throws UserError, `credentials` where AWS refuses. */
export interface EcrApi {
  /** Undefined where no AWS credentials are to be found. */
  login(): Promise<EcrLogin | undefined>;
  /** Makes sure that a repository exists and is as wanted. Throws UserError `registry` where it does not exist and may not be made. */
  ensureRepository(wanted: WantedRepository): Promise<RepositoryFacts>;
  /** Has the gallery show what is wanted: sends nothing where it does already. Only ECR Public has one. */
  showPage(wanted: WantedPage): Promise<void>;
  /** Whether the account has blobs copied between its repositories. */
  mountsBlobs(): Promise<boolean>;
  /**
   * Stores a manifest that `/v2/` refused without saying why, under a tag or its digest. False where AWS cannot be asked;
   * throws UserError that says why.
   */
  storeManifest(repository: string, manifest: GivenManifest, reference: string): Promise<boolean>;
  /** Which of these digests a repository holds; undefined where that cannot be asked. */
  heldBlobs(repository: string, digests: readonly string[]): Promise<ReadonlySet<string> | undefined>;
  /** The images of a repository, those without a tag included; with a digest, that one or none. */
  images(repository: string, digest?: string): Promise<EcrImage[]>;
  /** Deletes an image with its tags, or a tag: with the last one AWS deletes the image, too. */
  removeImage(repository: string, image: EcrImageName): Promise<EcrRemoval>;
}
