#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { runProgram } = await import('./program.ts');
process.exit(await runProgram(process.argv.slice(2)));
