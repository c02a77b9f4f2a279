// Stands where a release has the program, so that an action used from main says what to do instead of failing to load.
const action = process.argv[2]?.replace('--action=', '/') ?? '';
const repository = process.env.GITHUB_ACTION_REPOSITORY || 'org/nix-images';
const advice = `Use ${repository}${action}@v1, or @next, which follows main.`;
console.log(`::error title=nix-images::This commit of ${repository} has the source and not the program. ${advice}`);
process.exitCode = 1;
