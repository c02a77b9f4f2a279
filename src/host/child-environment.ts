/**
 * What the runner gives to actions and not to scripts (docs.github.com, "Metadata syntax", inputs; actions/toolkit): inputs,
 * secrets among them, the token and the addresses of its own services, and the files by which a step speaks to it.
 */
const OF_THE_STEP = /^(?:INPUT_.*|ACTIONS_(?:RUNTIME|RESULTS|CACHE)_.*|GITHUB_(?:OUTPUT|ENV|PATH|STATE|STEP_SUMMARY))$/;

/**
 * The environment of programs that a step runs: flakes of others are evaluated by them, and an image may be printed by a
 * program of its own maker, none of whom is to speak to the runner in the step's name.
 */
export const childEnvironment = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !OF_THE_STEP.test(name)));
