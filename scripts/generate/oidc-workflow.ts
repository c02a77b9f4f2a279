/** The workflow that publishes, and where the one of it lies that logs in by OIDC. GitHub looks for workflows in the second folder. */
export const OIDC_WORKFLOW = {
  from: 'workflows/images.yml',
  to: ['workflows/images-oidc.yml', '.github/workflows/images-oidc.yml'],
} as const;

const HEAD = `# images.yml with logins by OIDC: its jobs may ask GitHub for ID tokens, which AWS, Google and Docker Hub take in place of passwords.
# A caller writes \`uses: org/nix-images/.github/workflows/images-oidc.yml@v1\` and grants \`id-token: write\` as well. It is a file of its
# own since GitHub refuses a call whose jobs ask for more than the caller grants. Generated from images.yml by \`npm run generate\`.
name: Images`;

const INPUTS = `      aws-role:
        description: Role of AWS to assume for Amazon ECR and ECR Public, \`arn:aws:iam::ACCOUNT:role/NAME\`, one per line; of several, the one in the account of the registry.
        type: string
        default: ''
      google-provider:
        description: Workload identity provider of Google Cloud for Artifact Registry, \`projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER\`.
        type: string
        default: ''
      google-service-account:
        description: Service account that the jobs act as there; by default none, so that they have roles of their own.
        type: string
        default: ''
      docker-hub-connection:
        description: ID of the OIDC connection of an organization at Docker Hub, for its repositories.
        type: string
        default: ''
`;

const NAMES = [...INPUTS.matchAll(/^ {6}([a-z-]+):$/gm)].map(([, name = '']) => name);

const PASSED_ON = NAMES.map((name) => `          ${name}: \${{ inputs.${name} }}\n`).join('');

/** Replaces every occurrence; throws (a bug) where there are not so many. */
function replaced(text: string, times: number, pattern: RegExp, by: string): string {
  const found = [...text.matchAll(pattern)].length;
  if (found !== times) throw new TypeError(`images.yml has ${pattern} ${found} times, not ${times}`);
  return text.replace(pattern, by);
}

/**
 * `workflows/images-oidc.yml` from the text of `images.yml`: inputs for the logins, which plan, build and publish get, and
 * the permission to ask for ID tokens, which publish has from the caller.
 */
export function renderOidcWorkflow(images: string): string {
  const headed = replaced(images, 1, /^(?:#.*\n)+name: Images$/gm, HEAD);
  const declared = replaced(headed, 1, /^(?= {6}publish:\n {8}description: )/gm, INPUTS);
  const passed = replaced(declared, 3, /(?<=^ {10}registry-auth: .*\n)/gm, PASSED_ON);
  return replaced(
    passed,
    2,
    /(?<=^ {6}packages: (?:read|write) #.*\n)/gm,
    '      id-token: write # to log in by OIDC\n',
  );
}
