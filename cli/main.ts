#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// The user's own folder, as in agent.js: in the shared temp folder someone else could put code into the cache.
enableCompileCache(
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'dev-agent', 'compiled'),
);
const { runProgram } = await import('./program.ts');
const exitCode = await runProgram(process.argv.slice(2));
// A pipe takes 64 KiB at once: the rest is still on its way, and ending now would cut it off.
const drain = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => void stream.write('', () => resolve()));
await Promise.all([drain(process.stdout), drain(process.stderr)]);
process.exit(exitCode);
