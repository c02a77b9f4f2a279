/** What is at the top of an action's page: steps of a job, by the name of its command. A test checks them with the other snippets. */
export const ACTION_EXAMPLES: Readonly<Record<string, string>> = {
  plan: `
- uses: org/nix-images/setup@v1
- id: plan
  uses: org/nix-images/plan@v1
  with:
    to: ghcr.io/\${{ github.repository_owner }}/{name}
- run: echo '\${{ steps.plan.outputs.images }}'
`,
  build: `
- uses: org/nix-images/setup@v1
- uses: org/nix-images/build@v1
  with:
    installable: .#app
    system: x86_64-linux
    to: ghcr.io/\${{ github.repository_owner }}/{name}
`,
  'build-shared': `
- uses: org/nix-images/setup@v1
- uses: org/nix-images/cache@v1
  with:
    name: Shared # the build jobs' cache is given \`after: Shared\`
- uses: org/nix-images/build-shared@v1 # the workflow images.yml does it: docs/caches.md
`,
  publish: `
- id: publish
  uses: org/nix-images/publish@v1
  with:
    to: ghcr.io/\${{ github.repository_owner }}/{name}
    tags: |
      type=ref,event=branch
      latest
- run: echo '\${{ steps.publish.outputs.digest-references }}'
`,
  machine: `
- uses: org/nix-images/machine@v1
  with:
    emulate: aarch64-linux
    free-space: 30
`,
  boot: `
- uses: org/nix-images/boot@v1
  with:
    disk: result/nixos.raw
    says: 'server login: '
    port: 8080/health
    consoles: consoles
- if: failure()
  uses: actions/upload-artifact@v4
  with:
    name: consoles
    path: consoles
`,
  copy: `
- uses: org/nix-images/copy@v1
  with:
    reference: ghcr.io/\${{ github.repository_owner }}/app:1.2.3
    to: registry.example.com/mirror/{name}
`,
  promote: `
- uses: org/nix-images/promote@v1 # in a job with an environment: examples/workflows/promote.yml
  with:
    reference: ghcr.io/\${{ github.repository_owner }}/app:edge
    channels: stable
    min-age: 3d
`,
  rollback: `
- uses: org/nix-images/rollback@v1
  with:
    reference: ghcr.io/\${{ github.repository_owner }}/app:stable
`,
  history: `
- id: history
  uses: org/nix-images/history@v1
  with:
    reference: ghcr.io/\${{ github.repository_owner }}/app:stable
`,
  diff: `
- uses: org/nix-images/diff@v1
  with:
    old: ghcr.io/\${{ github.repository_owner }}/app:1.2.3
    new: ghcr.io/\${{ github.repository_owner }}/app:latest
`,
  preview: `
- id: publish
  uses: org/nix-images/publish@v1
  with:
    to: ghcr.io/\${{ github.repository_owner }}/{name}
    tags: type=ref,event=pr
- uses: org/nix-images/preview@v1 # the workflow preview.yml does it all: docs/previews.md
  with:
    to: ghcr.io/\${{ github.repository_owner }}/{name}
    published: \${{ steps.publish.outputs.json }}
    budget: 120MB
`,
  update: `
- uses: org/nix-images/setup@v1
- uses: org/nix-images/update@v1
  with:
    to: ghcr.io/\${{ github.repository_owner }}/{name}
    pull-request: true
`,
  cache: `
- uses: org/nix-images/setup@v1
- uses: org/nix-images/cache@v1
  with:
    merge: true # where no other job of the run saves; otherwise a job that needs them all runs cache-merge
- run: nix build .#app
`,
  'cache-save': `
- uses: org/nix-images/setup@v1
- run: nix build .#app
- uses: org/nix-images/cache-save@v1
  with:
    name: app
`,
  'cache-merge': `
- uses: org/nix-images/cache-merge@v1 # in a job that needs all jobs that save, with the permission \`actions: write\`
`,
  'cache-keep': `
- uses: org/nix-images/cache-keep@v1 # in a scheduled workflow: examples/workflows/cache-keep-alive.yml
`,
  'cache-stats': `
- uses: org/nix-images/cache-stats@v1 # the summary shows it with a chart
`,
  'deploy-ami': `
- id: amis
  uses: org/nix-images/deploy-ami@v1 # in a job with an environment and \`id-token: write\`: docs/amis.md
  with:
    disks: ghcr.io/\${{ github.repository_owner }}/server:v1
    regions: |
      eu-central-1
      us-east-1
    aws-role: arn:aws:iam::123456789012:role/amis
- run: echo '\${{ steps.amis.outputs.amis }}'
`,
  'promote-ami': `
- uses: org/nix-images/promote-ami@v1 # in a job with an environment and \`id-token: write\`
  with:
    image: server
    ami-version: v1.2.3
    parameters: /images/{image}/{arch}/stable
    aws-role: arn:aws:iam::123456789012:role/amis
`,
  'verify-ami': `
- uses: org/nix-images/verify-ami@v1 # in a scheduled workflow
  with:
    manifest: amis.json
    aws-role: arn:aws:iam::123456789012:role/amis
`,
  'history-ami': `
- uses: org/nix-images/history-ami@v1
  with:
    image: server
    parameters: /images/{image}/{arch}/stable
    aws-role: arn:aws:iam::123456789012:role/amis
`,
  prune: `
- uses: org/nix-images/prune@v1 # in a scheduled workflow: examples/workflows/retention.yml
  with:
    places: ghcr.io/\${{ github.repository }}
    keep-last: 10
    keep-tags: v*
    untagged: 7d
    closed-previews: true
    dry-run: true
`,
  pull: `
- id: disk
  uses: org/nix-images/pull@v1
  with:
    reference: ghcr.io/org/server:latest
    out: server.raw
`,
  inspect: `
- id: image
  uses: org/nix-images/inspect@v1
  with:
    reference: ghcr.io/\${{ github.repository_owner }}/app:latest
`,
};

/** The same on the command line, for the page of all commands. */
export const COMMAND_EXAMPLES: Readonly<Record<string, string>> = {
  plan: `
nix-images plan                                   # every image of the flake in this folder
nix-images plan --to 'ghcr.io/org/{name}'         # and which of them are published already
nix-images plan --images 'web-*' --systems 'x86_64-*' --json
`,
  build: `
nix-images build .#app                            # for this machine's system, into handover/
nix-images build .#app --system aarch64-linux --to ghcr.io/org/app
`,
  'build-shared': `
nix-images build-shared                           # what two images of the flake need, for this machine's system
`,
  publish: `
nix-images publish .#app --to ghcr.io/org/app:latest
nix-images publish .#app --to oci:out:latest      # a folder in place of a registry
nix-images publish .#app --to ghcr.io/org/app --to docker.io/org/app --tag 1.2.3 --tag latest
nix-images publish --from handover --to ghcr.io/org/app:latest
`,
  load: `
nix-images load .#app                             # into podman, or the first other engine that can be used
nix-images load .#app --engine containerd         # for the Kubernetes of this machine
`,
  run: `
nix-images run .#app
nix-images run .#app --publish 8080:80 -- --verbose
`,
  serve: `
nix-images serve                                  # every image of the flake in this folder, at 127.0.0.1:5000
nix-images serve .#app --port 0                   # one image, at any port that is free
`,
  machine: `
nix-images machine                                # what is there, and what is missing
nix-images machine --emulate aarch64-linux
`,
  boot: `
nix-images boot disk.raw                          # waits for a login prompt
nix-images boot disk.raw --system aarch64-linux --says 'server login: ' --port 8080/health --consoles out
`,
  copy: `
nix-images copy ghcr.io/org/app:1.2.3 --to docker.io/org/app
nix-images copy ghcr.io/org/app:1.2.3 --to oci-archive:app.tar:1.2.3
`,
  promote: `
nix-images promote ghcr.io/org/app:edge --channel stable
nix-images promote ghcr.io/org/app:edge --to ghcr.io/org/app-prod --channel stable --min-age 3d
`,
  rollback: `
nix-images rollback ghcr.io/org/app:stable        # one promotion back; again for one more
`,
  history: `
nix-images history ghcr.io/org/app:stable
`,
  'promote-ami': `
nix-images promote-ami server --ami-version v1.2.3 --parameter '/images/{image}/{arch}/stable'
nix-images promote-ami server --rollback --parameter '/images/{image}/{arch}/stable'   # again for one more
`,
  'verify-ami': `
nix-images verify-ami amis.json                   # fails where anything differs
`,
  'history-ami': `
nix-images history-ami server --parameter '/images/{image}/{arch}/stable' --region us-east-1
`,
  diff: `
nix-images diff ghcr.io/org/app:1.2.3 ghcr.io/org/app:latest
nix-images diff ghcr.io/org/app:latest .#app      # what the flake would make
`,
  preview: `
nix-images preview --to 'ghcr.io/org/{name}' --published "$JSON"   # in a workflow run alone
`,
  update: `
nix-images update                                 # every input of flake.lock, and what that changes in each image
nix-images update --input nixpkgs --images 'web-*'
nix-images update --pull-request --auto-merge squash --label dependencies
`,
  cache: `
nix-images cache /var/cache/nix-images            # until Ctrl-C; says what to set for Nix
`,
  'cache-save': `
nix-images cache-save /var/cache/nix-images --merge
`,
  'cache-merge': `
nix-images cache-merge /var/cache/nix-images --limit 5000
nix-images cache-merge /var/cache/nix-images --dry-run    # what would be kept, dropped and deleted
`,
  'cache-keep': `
nix-images cache-keep /var/cache/nix-images
`,
  'cache-stats': `
nix-images cache-stats /var/cache/nix-images
`,
  prune: `
nix-images prune registry.example.com/app --keep-last 10 --keep-tags 'v*' --dry-run
nix-images prune oci:out --max-age 30d            # a layout loses the blobs, too
`,
  pull: `
nix-images pull ghcr.io/org/server:latest server.raw
nix-images pull ghcr.io/org/server:latest server-arm.raw --system aarch64-linux
`,
  inspect: `
nix-images inspect ghcr.io/org/app:latest
nix-images inspect oci:out:latest --json
`,
};
