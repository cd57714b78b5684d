/** By hand and for benches: `node tests/model-server/main.ts --script happy|loop --port 0 [--turns n] [--steps n]`. */
import { parseArgs } from 'node:util';
import type { Script } from './script.ts';
import { happy, loop } from './scripts.ts';
import { startModelServer } from './server.ts';

const { values } = parseArgs({
  options: {
    script: { type: 'string', default: 'happy' },
    port: { type: 'string', default: '0' },
    turns: { type: 'string', default: '10' },
    steps: { type: 'string', default: '1' },
    'no-responses': { type: 'boolean', default: false },
  },
});

const scripts: Readonly<Record<string, () => Script>> = {
  happy: () => happy,
  loop: () => loop(Number(values.turns), Number(values.steps)),
};

const create = scripts[values.script];
if (create === undefined) {
  console.error(`Unknown script "${values.script}". Known: ${Object.keys(scripts).join(', ')}.`);
  process.exit(2);
}
const server = await startModelServer(create(), {
  port: Number(values.port),
  responses: !values['no-responses'],
});
console.log(JSON.stringify({ port: server.port, baseUrl: server.baseUrl }));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => server.close());
