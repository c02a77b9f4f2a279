/** When builds began, in milliseconds since 1970, by derivation. */
export type BuildStarts = ReadonlyMap<string, number>;

/** Nix's own line; those of builders have the name of what is built before them. With a machine behind it where that builds. */
const BUILDING = /^building '(\/nix\/store\/[0-9a-z]{32}-[0-9A-Za-z+._?=-]+\.drv)'/;

/** The derivation whose build begins with a line of `nix-store --realise`, as 2.8 to 2.34 print it; undefined for any other line. */
export const startedBuild = (line: string): string | undefined => BUILDING.exec(line)?.[1];

/** A line that is kept: when, and what. */
const KEPT = /^(\d{1,15}) (\/nix\/store\/\S+\.drv)$/;

/** A line of the file of what a job's commands have built. */
export const keptStart = (drvPath: string, at: number): string => `${at} ${drvPath}\n`;

/** Reads such a file, which may hold anything; of several builds the last one counts. */
export function parseStarts(text: string): BuildStarts {
  const starts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, at, drvPath] = KEPT.exec(line) ?? [];
    if (at !== undefined && drvPath !== undefined) starts.set(drvPath, Number(at));
  }
  return starts;
}
