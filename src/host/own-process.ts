/** What starts a process of this program that serves another one, by the name that follows `PROCESS_WORD`. */
const PROCESSES: Readonly<Record<string, () => Promise<void>>> = {
  'cache-transfer': async () => (await import('./cache-transfer.ts')).serveTransfer(),
};

/** The first word of argv of such a process; no command and no flag begins so. */
const PROCESS_WORD = '--process=';

/** What this process is to do, when this program started it to serve another one; undefined for the program itself. */
export function ownProcess(argv: readonly string[]): (() => Promise<void>) | undefined {
  const word = argv[2];
  if (word?.startsWith(PROCESS_WORD) !== true) return undefined;
  const name = word.slice(PROCESS_WORD.length);
  return Object.hasOwn(PROCESSES, name) ? PROCESSES[name] : undefined;
}
