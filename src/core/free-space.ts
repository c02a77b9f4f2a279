import { UserError } from './error.ts';
import { sizeText } from './size.ts';

/** Says how many bytes a user may still write where a folder or file is, or will be. */
export type FreeSpace = (path: string) => Promise<number>;

interface NeededSpace {
  /** What is about to be written, for the message. */
  readonly what: string;
  /** The least that it takes. */
  readonly bytes: number;
  /** The folder or file that it is written to. */
  readonly path: string;
}

/** Throws UserError `file`, before anything is written, where there is too little room: with what is needed and what is free. */
export async function checkSpace({ what, bytes, path }: NeededSpace, free: FreeSpace): Promise<void> {
  const room = await free(path);
  if (bytes <= room) return;
  throw new UserError(
    'file',
    `no space for ${what}: ${sizeText(bytes)} are needed at ${path}, where ${sizeText(room)} are free`,
    {
      hint: "Free space there, or choose a larger file system; on GitHub's runners, setup can remove what is preinstalled.",
      docs: 'caches.md#disk-space',
    },
  );
}
