// Loaded before the process that moves entries (NODE_OPTIONS): a signal comes while it asks for its turn, too late for a listener of its own.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (...args) => {
  if (String(args[0]).includes('waits for its turn')) process.kill(process.pid, 'SIGTERM');
  return write(...args);
};
