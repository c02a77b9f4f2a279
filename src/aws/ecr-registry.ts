/** A registry of Amazon's, as the host of a reference names it. */
export type EcrRegistry =
  | { readonly kind: 'public' }
  | {
      readonly kind: 'private';
      /** Twelve digits. */
      readonly account: string;
      readonly region: string;
      readonly isFips: boolean;
      readonly isDualStack: boolean;
    };

/** ECR Public over IPv4, and over IPv4 and IPv6. */
const PUBLIC_HOSTS = ['public.ecr.aws', 'ecr-public.aws.com'];

// Suffixes of the partitions: AWS and GovCloud, China, the European Sovereign Cloud, and the isolated ones.
const SUFFIX =
  'amazonaws\\.com(?:\\.cn)?|amazonaws\\.eu|c2s\\.ic\\.gov|sc2s\\.sgov\\.gov|cloud\\.adc-e\\.uk|csp\\.hci\\.ic\\.gov';
const DUAL_STACK_SUFFIX = 'on\\.aws|on\\.amazonwebservices\\.(?:com\\.cn|eu)';
const REGION = '[a-z]{2,4}(?:-[a-z]+){1,3}-\\d{1,2}';

const IPV4 = new RegExp(`^(\\d{12})\\.dkr\\.ecr(-fips)?\\.(${REGION})\\.(?:${SUFFIX})$`);
const DUAL_STACK = new RegExp(`^(\\d{12})\\.dkr-ecr(-fips)?\\.(${REGION})\\.(?:${DUAL_STACK_SUFFIX})$`);

/**
 * What the host of a reference says of a registry of Amazon's; undefined for every other host. AWS's credentials open only
 * what this knows, so the whole name must fit ("Registry URI" in ECR's user guide).
 */
export function parseEcrHost(host: string): EcrRegistry | undefined {
  const name = host.toLowerCase().replace(/:443$/, '');
  if (PUBLIC_HOSTS.includes(name)) return { kind: 'public' };
  const dualStack = DUAL_STACK.exec(name);
  const [, account, fips, region] = dualStack ?? IPV4.exec(name) ?? [];
  if (account === undefined || region === undefined) return undefined;
  return { kind: 'private', account, region, isFips: fips !== undefined, isDualStack: dualStack !== null };
}
