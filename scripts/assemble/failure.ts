/** Why a release cannot be assembled, for the person who asked; shown without a stack. */
export class AssembleError extends Error {
  override readonly name = 'AssembleError';
}
