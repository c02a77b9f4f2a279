/**
 * What an artifact's name may not hold: the characters that @actions/artifact refuses (for NTFS's sake), and control
 * characters.
 */
const ILLEGAL = /[":<>|*?\\/]|\p{Cc}/u;

/** What file systems allow; an artifact that is not zipped is uploaded from, and downloaded to, a file of its name. */
const LIMIT_BYTES = 255;

/** Whether an artifact may have this name, and a file too. */
export const isArtifactName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !ILLEGAL.test(name) && Buffer.byteLength(name) <= LIMIT_BYTES;
