import type { RepositoryFacts } from './ecr-api.ts';

/** Of a repository that lets every tag move, or of which nobody knows. */
export const MOVABLE: RepositoryFacts = { isFixed: () => false };

/** `*` stands for any characters, and nothing else means anything (ECR's user guide, "Preventing image tags from being overwritten"). */
const matches = (filter: string, tag: string): boolean =>
  new RegExp(
    `^${filter
      .split('*')
      .map((text) => text.replace(/[.]/g, '\\.'))
      .join('.*')}$`,
  ).test(tag);

/** A repository as ECR describes it, as far as it says which tags move. */
interface Mutability {
  readonly imageTagMutability?: string | undefined;
  readonly imageTagMutabilityExclusionFilters?: readonly { readonly filter?: string | undefined }[] | undefined;
}

/** Which tags a repository of ECR keeps from being moved, by its settings. */
export function fixedTags({ imageTagMutability, imageTagMutabilityExclusionFilters }: Mutability): RepositoryFacts {
  const isExcluded = (tag: string): boolean =>
    (imageTagMutabilityExclusionFilters ?? []).some(({ filter = '' }) => matches(filter, tag));
  switch (imageTagMutability) {
    case 'IMMUTABLE':
      return { isFixed: () => true };
    case 'IMMUTABLE_WITH_EXCLUSION':
      return { isFixed: (tag) => !isExcluded(tag) };
    case 'MUTABLE_WITH_EXCLUSION':
      return { isFixed: isExcluded };
    default:
      return MOVABLE;
  }
}
