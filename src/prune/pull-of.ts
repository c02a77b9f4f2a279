import { previewNumber } from './preview-tag.ts';
import type { Prunable } from './prunable.ts';

/** The pull request that an item is of under a name: images say it by the tag. */
export const pullOf = ({ whole }: Prunable, name: string): number | undefined =>
  whole ? whole.pull : previewNumber(name);
