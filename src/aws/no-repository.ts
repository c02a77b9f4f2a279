import { UserError } from '../core/error.ts';

/** For a repository that does not exist and may not be made; `place` names it and its registry. */
export const noRepository = (place: string): UserError =>
  new UserError('registry', `the repository ${place} does not exist`, {
    hint: 'Check its name, create it, or let it be created with `--create-repository` (the input `create-repository`).',
    docs: 'registries.md#amazon-ecr',
  });
