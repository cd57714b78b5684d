import { readFileSync } from 'node:fs';

/** Version of dev-agent, as package.json says it. */
export const readVersion = (): string => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};
