// What is for the worker alone (vitest.config.ts): programs of the tests have their memory as users' programs do.
delete process.env.GLIBC_TUNABLES;
