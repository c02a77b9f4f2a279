/** Where crane lies once set-up has built it. */
export function cranePath(): string;
/** Where act lies once set-up has built it. */
export function actPath(): string;
/** Where actionlint lies once set-up has built it. */
export function actionlintPath(): string;
/** Where distribution 3 lies once set-up for the full tests has built it. */
export function distributionPath(): string;
/** Where crictl lies once set-up for the full tests has built it. */
export function crictlPath(): string;
/** Where what pulls as podman and CRI-O do lies once set-up for the full tests, or the next, has built it. */
export function partialPullPath(): string;
/** Builds it where it is not there. Throws SetupError when there is no Go, or the build fails. */
export function ensurePartialPull(log: (line: string) => void): void;
