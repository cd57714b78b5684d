/** For a git of ours that looks at what others have made: no settings of the user or the system have a say in it. */
export const inertEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
});

/** The same, and no repository is looked for around it: only what it is given has a say. */
export const lonelyEnvironment = (): NodeJS.ProcessEnv => ({
  ...inertEnvironment(),
  GIT_CEILING_DIRECTORIES: '/',
});
