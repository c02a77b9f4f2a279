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
