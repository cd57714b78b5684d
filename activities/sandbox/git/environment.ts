/** For running git on others' data: no user or system settings apply. */
export const inertEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
});

/** As `inertEnvironment`, and git discovers no surrounding repository. */
export const lonelyEnvironment = (): NodeJS.ProcessEnv => ({
  ...inertEnvironment(),
  GIT_CEILING_DIRECTORIES: '/',
});
