#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// In the user's own folder, as in agent.js: in the shared temp folder others could put code into the cache.
enableCompileCache(
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'dev-agent', 'compiled'),
);
const { runProgram } = await import('./program.ts');
const exitCode = await runProgram(process.argv.slice(2));
// A pipe takes 64 KiB at once; exiting before the rest is written would truncate it.
const drain = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => void stream.write('', () => resolve()));
await Promise.all([drain(process.stdout), drain(process.stderr)]);
process.exit(exitCode);
