/** The parts of `--disk`, each of which can be measured alone. */
export const DISK_ROWS = ['changes', 'chunks', 'making', 'reading', 'commands'] as const;

export type DiskRow = (typeof DISK_ROWS)[number];
