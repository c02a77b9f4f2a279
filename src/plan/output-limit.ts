/**
 * Bytes of all outputs of a job together, as GitHub counts them: two for each character (docs.github.com, "Passing information between
 * jobs"). Above 1 MiB the job fails, with "Job outputs exceed 1,048,576 bytes" (google/osv-scanner-action 129). Some room is left for outputs
 * that a workflow adds, and for what is counted for each of them.
 */
export const MOST_OUTPUT_BYTES = 1024 * 1024 - 16 * 1024;

/** How large GitHub takes outputs to be. */
export const outputBytes = (outputs: Readonly<Record<string, string>>): number =>
  Object.entries(outputs).reduce((bytes, [name, value]) => bytes + 2 * (name.length + value.length), 0);
