/** Where zizmor lies once set-up has fetched it. */
export function zizmorPath(): string;
/** The words that start moto's server once set-up has fetched it. */
export function motoServer(): string[];
/** The folder of a service's models in botocore, such as `ecr`, once set-up has fetched it. */
export function botocoreModels(service: string): string;
