const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * The workflow as GitHub's "Re-run failed jobs" runs it where the job `id` succeeded: its steps are not run again, and the
 * other jobs see the `outputs` of before. act itself runs every job that another one needs.
 */
export const withOutputs = (workflow: string, id: string, outputs: Readonly<Record<string, string>>): string => {
  const lines = Object.entries(outputs).map(([name, value]) => `      ${name}: ${quoted(value)}\n`);
  const job = `  ${id}:\n    runs-on: ubuntu-latest\n    outputs:\n${lines.join('')}    steps: [{ run: 'true' }]\n\n`;
  const found = new RegExp(`^  ${id}:\\n(?:(?: {4}.*)?\\n)+`, 'm');
  if (!found.test(workflow)) throw new Error(`the workflow has no job ${id}`);
  return workflow.replace(found, () => job);
};
