import type { ToolDiskAnswer } from './recognise.ts';
import { checkBuilt, type ToolImage, validName } from './tool-image.ts';

/** A disk of another maker, as its derivation tells of it; nothing is built yet. */
export interface ToolDisk extends Pick<ToolImage, 'name' | 'drvPath' | 'output' | 'outPath' | 'system' | 'hostSystem'> {
  readonly kind: 'disk';
  /** What it says of where the disk is in its output. */
  readonly filePath: string | null;
}

/** The part of a path that people call an image by; a variant of a NixOS configuration bears both names. */
export const leafName = (path: readonly string[]): string =>
  path[0] === 'nixosConfigurations' && path.length > 2 ? `${path[1]}-${path.at(-1)}` : (path.at(-1) ?? '');

/** Repository name of a disk: the nearest valid one to what its derivation says, or to its attribute. */
export const diskName = ({ name }: Pick<ToolDiskAnswer, 'name'>, path: readonly string[]): string =>
  validName(name ?? leafName(path));

/** Accepts what an evaluation says of a disk. `what` names it in messages. Throws UserError `evaluation` for a path that is none. */
export function parseToolDisk(what: string, answer: ToolDiskAnswer, path: readonly string[]): ToolDisk {
  const { kind, drvPath, output, path: outPath, system, hostSystem, filePath } = answer;
  checkBuilt(what, answer);
  return { kind, name: diskName(answer, path), drvPath, output, outPath, system, hostSystem, filePath };
}
