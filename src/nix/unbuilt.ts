import { chunks } from './chunks.ts';
import type { Nix } from './nix.ts';

/** Headings of nix-store --dry-run: `these 2 derivations will be built:`, `this path will be fetched (…):`. */
const HEADING = /^(?:this|these)\b.*\bwill be (built|fetched)\b/;

/** @internal The derivations below the heading of what is to be built. */
export function toBeBuilt(lines: readonly string[]): string[] {
  let isBuilt = false;
  return lines.flatMap((line) => {
    const heading = HEADING.exec(line);
    if (heading) isBuilt = heading[1] === 'built';
    const [, drvPath] = /^\s+(\/nix\/store\/\S+\.drv)$/.exec(line) ?? [];
    return isBuilt && drvPath !== undefined ? [drvPath] : [];
  });
}

/**
 * The derivations that Nix would build for `targets` (`DRV!OUTPUT` or `DRV`), what they need too: those whose outputs are
 * neither in the store nor at a substituter. Nothing is built. `undefined` where Nix cannot tell, such as with derivations in another store.
 */
export async function unbuilt(nix: Nix, targets: readonly string[]): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  for (const chunk of chunks(targets)) {
    // As they come: of thousands of lines the result has the last alone.
    const lines: string[] = [];
    const onStderrLine = (line: string): void => void lines.push(line);
    const { exitCode } = await nix.store(['--realise', '--dry-run', ...chunk], { onStderrLine });
    if (exitCode !== 0) return undefined;
    for (const drvPath of toBeBuilt(lines)) found.add(drvPath);
  }
  return found;
}
