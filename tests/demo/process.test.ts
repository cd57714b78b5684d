/** The processes: started, asked, stopped. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import OpenAI from 'openai';

const toPath = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const demo = toPath('../../demo/main.ts');
const scripted = toPath('../model-server/main.ts');

const start = (file: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });

async function readPort({ stdout }: ChildProcess): Promise<number> {
  assert.ok(stdout);
  const [line] = (await once(createInterface(stdout), 'line')) as [string];
  const { port } = JSON.parse(line) as { port: number };
  assert.ok(port > 0);
  return port;
}

const createClient = (port: number): OpenAI =>
  new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 });

for (const [name, file, args, model] of [
  ['the demo model', demo, ['--port', '0'], 'demo'],
  ['the scripted model', scripted, ['--script', 'loop', '--turns', '3'], 'scripted'],
] as const) {
  test(`${name} says its port, answers and stops when told`, async () => {
    const child = start(file, ...args);
    const exited = once(child, 'exit');
    try {
      const client = createClient(await readPort(child));
      for await (const found of client.models.list()) assert.equal(found.id, model);
      const plan = await client.responses.create({
        model,
        input: 'Describe this workspace',
        text: { format: { type: 'json_schema', name: 'plan', schema: {} } },
      });
      assert.ok((JSON.parse(plan.output_text) as { steps: unknown[] }).steps.length > 0);
    } finally {
      child.kill('SIGTERM');
    }
    assert.deepEqual(await exited, [0, null]);
  });
}

test('the demo model takes the port it is given, and says when it cannot', async () => {
  const first = start(demo, '--port', '0');
  try {
    const port = await readPort(first);
    const second = start(demo, '--port', String(port));
    const [[code], message] = await Promise.all([
      once(second, 'exit') as Promise<[number]>,
      text(second.stderr ?? assert.fail()),
    ]);
    assert.equal(code, 1);
    assert.match(message, new RegExp(`port ${port}.*(in use|EADDRINUSE)`, 'i'));
  } finally {
    first.kill('SIGTERM');
  }
  await once(first, 'exit');
});

test('a port that is none is a usage error', async () => {
  const child = start(demo, '--port', 'many');
  const [[code], message] = await Promise.all([
    once(child, 'exit') as Promise<[number]>,
    text(child.stderr ?? assert.fail()),
  ]);
  assert.equal(code, 2);
  assert.match(message, /--port .*"many"/);
});
