/** Where crane lies once set-up has built it. */
export function cranePath(): string;
