// Loaded before the process that moves entries (NODE_OPTIONS): its client has no option for its waits, of seconds up to half a minute.
const HASTE = 100;
const real = globalThis.setTimeout;
globalThis.setTimeout = (callback, milliseconds = 0, ...rest) =>
  real(callback, milliseconds < 1000 || milliseconds > 25_000 ? milliseconds : milliseconds / HASTE, ...rest);
