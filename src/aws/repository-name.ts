import { UserError } from '../core/error.ts';

// The services' models; references allow names that one or both of them refuse.
const NAMES = {
  ECR: {
    pattern: /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/,
    limit: 256,
    written: 'HOST/NAME',
    between: 'one of . _ __ - or /',
  },
  'ECR Public': {
    pattern: /^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/,
    limit: 205,
    written: 'public.ecr.aws/ALIAS/NAME',
    between: 'one of . _ - or /',
  },
} as const;

const SHORTEST = 2;

/** Throws UserError `reference` for a name of a repository that the service does not take; `shown` has its host with it. */
export function checkRepositoryName(service: keyof typeof NAMES, shown: string, name: string): void {
  const { pattern, limit, written, between } = NAMES[service];
  if (name.length >= SHORTEST && name.length <= limit && pattern.test(name)) return;
  throw new UserError('reference', `${shown} is not a valid repository of ${service}`, {
    hint: `Write ${written}; NAME has ${SHORTEST} to ${limit} lower-case letters and digits, with ${between} between them.`,
  });
}
