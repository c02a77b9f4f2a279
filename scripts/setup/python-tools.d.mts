/** Where zizmor lies once set-up has fetched it. */
export function zizmorPath(): string;
