import type { AwsCalls } from './aws-calls.ts';
import type { EcrImage, EcrRemoval } from './ecr-api.ts';
import { isNamed } from './failure.ts';

/** Images in one answer: the most that AWS gives (service model, MaxResults). */
const IMAGES_PER_PAGE = 1000;

/** What to ask DescribeImages for: AWS takes no number beside a digest. */
export const pageOf = (digest: string | undefined, nextToken: string | undefined) =>
  digest === undefined
    ? { maxResults: IMAGES_PER_PAGE, ...(nextToken === undefined ? {} : { nextToken }) }
    : { imageIds: [{ imageDigest: digest }] };

/** What both services say of an image, as far as it is used here. */
interface ImageDetail {
  readonly imageDigest?: string | undefined;
  readonly imageTags?: readonly string[] | undefined;
  readonly imagePushedAt?: Date | undefined;
}

interface ImagePage {
  readonly imageDetails?: readonly ImageDetail[] | undefined;
  readonly nextToken?: string | undefined;
}

/** Asks page by page (DescribeImages). Throws UserError. */
export async function allImages(
  calls: AwsCalls,
  place: string,
  ask: (nextToken: string | undefined) => Promise<ImagePage>,
): Promise<EcrImage[]> {
  const found: EcrImage[] = [];
  let token: string | undefined;
  do {
    const page = await calls.callUnless(
      isNamed('ImageNotFoundException'),
      'DescribeImages',
      `cannot list the images of ${place}`,
      () => ask(token),
    );
    if (page === undefined) break;
    for (const { imageDigest: digest, imageTags = [], imagePushedAt } of page.imageDetails ?? []) {
      if (digest !== undefined) found.push({ digest, tags: imageTags, pushed: imagePushedAt?.getTime() });
    }
    token = page.nextToken;
  } while (token !== undefined);
  return found;
}

interface DeleteAnswer {
  readonly failures?:
    | readonly { readonly failureCode?: string | undefined; readonly failureReason?: string | undefined }[]
    | undefined;
}

/** What is not there, or not under that tag, any more. */
const GONE = ['ImageNotFound', 'ImageTagDoesNotMatchDigest'];

/** Removes one image, or one tag of it (BatchDeleteImage). Throws UserError for what is refused as a whole. */
export async function removeOne(calls: AwsCalls, place: string, ask: () => Promise<DeleteAnswer>): Promise<EcrRemoval> {
  const answer = await calls.call('BatchDeleteImage', `cannot delete from ${place}`, ask);
  const failure = answer.failures?.[0];
  if (failure === undefined) return { kind: 'removed' };
  if (GONE.includes(failure.failureCode ?? '')) return { kind: 'gone' };
  return {
    kind: 'kept',
    why: `AWS keeps it: ${failure.failureReason ?? failure.failureCode ?? 'it does not say why'}`,
  };
}
