// Generated from the command by `npm run generate`. Do not edit.
process.argv.splice(2, 0, '--action=promote-ami');
await import('../dist/index.js');
