import { IMAGE_FILE } from './fixture/image-file.ts';
import { timed } from './measure/timed.ts';
import type { Usage } from './measure/usage.ts';
import { median } from './statistics.ts';

/** `nix eval` of the definition alone, which everybody who starts from a definition pays; median of `runs`. */
export async function measureEvaluation(
  nixWords: readonly string[],
  runs: number,
  env: Readonly<Record<string, string>>,
  scratch: string,
): Promise<Usage> {
  const features = ['--extra-experimental-features', 'nix-command flakes', '--option', 'eval-cache', 'false'];
  const command = {
    program: 'nix',
    args: ['eval', '--json', ...features, '--file', IMAGE_FILE, 'image', ...nixWords],
    env,
  };
  // Once beforehand: the first one writes derivations.
  await timed(command, scratch);
  const usages: Usage[] = [];
  for (let round = 0; round < runs; round += 1) usages.push(await timed(command, scratch));
  const middle = (value: (usage: Usage) => number): number => median(usages.map(value));
  return {
    wallSeconds: middle((usage) => usage.wallSeconds),
    cpuSeconds: middle((usage) => usage.cpuSeconds),
    largestProcess: middle((usage) => usage.largestProcess),
    tree: middle((usage) => usage.tree),
  };
}
