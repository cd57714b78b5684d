import { ConfigError } from '../config/environment.ts';

/** What one worker process does; each role is a task queue and needs its own permissions. */
export type Role = 'run' | 'model' | 'workspace';

const roles: readonly Role[] = ['run', 'model', 'workspace'];

const isRole = (name: string): name is Role => roles.some((role) => role === name);

/** Parses AGENT_WORKER_ROLES, comma-separated names; empty means all. @throws ConfigError for an unknown role. */
export function parseRoles(text: string | undefined): ReadonlySet<Role> {
  const names = (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.filter((name) => !isRole(name));
  if (wrong.length > 0) {
    throw new ConfigError([
      `AGENT_WORKER_ROLES must name ${roles.join(', ')}, got ${JSON.stringify(wrong.join(','))}.`,
    ]);
  }
  return new Set(names.length === 0 ? roles : names.filter(isRole));
}
