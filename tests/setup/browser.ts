/** A real browser, driven over its debugging port. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from './wait-for.ts';

export const chromium = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync);

export interface Browser {
  /** Opens an address and waits until it has loaded. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page that is open; promises are waited for. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits until the page shows a text. */
  waitForText(text: string): Promise<void>;
  close(): Promise<void>;
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** `names` are resolved to 127.0.0.1, as a rebinding attacker has it. */
export async function startBrowser(names: readonly string[] = []): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'agent-browser-'));
  const rules = names.map((name) => `MAP ${name} 127.0.0.1`).join(',');
  const child = spawn(
    chromium ?? '',
    [
      ...flags,
      `--user-data-dir=${profile}`,
      '--remote-debugging-port=0',
      ...(rules === '' ? [] : [`--host-resolver-rules=${rules}`]),
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const debug = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [, url] = /listening on (ws:\S+)/.exec(said) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.on('exit', () => reject(new Error(`The browser ended: ${said}`)));
  });
  const pages = (await (await fetch(`http://${new URL(debug).host}/json`)).json()) as {
    type: string;
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(
    pages.find(({ type }) => type === 'page')?.webSocketDebuggerUrl ?? '',
  );
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  let last = 0;
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id = 0, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  const call = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  const evaluate = async (expression: string): Promise<unknown> => {
    const answer = (await call('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result?: { value?: unknown } } | undefined;
    return answer?.result?.value;
  };
  const waitUntil = async (what: string, expression: string): Promise<void> => {
    let shown = '';
    const look = async (): Promise<boolean> => {
      if ((await evaluate(expression)) === true) return true;
      shown = String(await evaluate('document.body.innerText'));
      return false;
    };
    await waitFor(() => `${what}: ${shown}`, look);
  };
  return {
    evaluate,
    async open(url) {
      await call('Page.navigate', { url });
      await waitUntil(url, `document.readyState === 'complete' && location.href !== 'about:blank'`);
    },
    waitForText: (text) =>
      waitUntil(text, `document.body.innerText.includes(${JSON.stringify(text)})`),
    async close() {
      socket.close();
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
