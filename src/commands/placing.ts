import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { decodePositions } from '../erofs/positions.ts';
import { flag, path } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { EvaluatedAny } from '../nix/found-image.ts';
import type { PlacingChoice } from './build-any.ts';

/** Inputs that say where the store paths of a disk lie. */
export const placingInputs = {
  positions: path({
    description:
      'Of a disk: file of positions that says where store paths are to stay. Default: what is published where the disk goes.',
    placeholder: 'FILE',
  }),
  fresh: flag({
    description: 'Of a disk: place all store paths again, which packs the store, and sends nearly all of it once.',
  }),
} as const;

export interface PlacingInputs {
  readonly positions: string | undefined;
  readonly fresh: boolean;
}

/** Throws UserError `input` where both are given, for what is no disk of a definition, and for a file that holds no positions; `file` where it cannot be read. */
export async function placingOf(
  { kind, name }: Pick<EvaluatedAny, 'kind' | 'name'>,
  { positions, fresh }: PlacingInputs,
  { cwd }: Pick<Host, 'cwd'>,
): Promise<PlacingChoice> {
  if (positions === undefined && !fresh) return {};
  if (kind !== 'disk') {
    throw new UserError('input', `${name} has no store paths that could be placed: it is not a disk of mkDisk`, {
      hint: 'Leave out --positions and --fresh.',
    });
  }
  if (positions === undefined) return { fresh };
  if (fresh) {
    throw new UserError('input', 'both --positions and --fresh are given', {
      hint: 'Give positions to keep store paths where they are, or place all of them again.',
    });
  }
  const file = resolve(cwd, positions);
  return { positions: decodePositions(await withFileErrors(file, 'read', () => readFile(file)), positions) };
}
