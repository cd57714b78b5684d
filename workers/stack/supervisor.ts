/** Process entry: starts and supervises one state folder's local stack until told to stop. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { failpoint } from '../../audit/record/failpoint.ts';
import { createPayloadCodec } from '../../audit/record/keys/payload-codec.ts';
import { KeyFileError, readPayloadKeys } from '../../audit/record/keys/payload-keys.ts';
import { readSettings } from '../../config/environment.ts';
import { clearForceRecord } from '../../config/force-record.ts';
import { chooseAddresses } from './addresses.ts';
import { claimFolder } from './claim.ts';
import { createCodecAnswers } from './codec.ts';
import { ControlError, createControl } from './control.ts';
import { createLogFile } from '../log-file.ts';
import { createSecrets, parseSecrets } from '../secrets.ts';
import { endOrphans } from './orphans.ts';
import { ExposureError, choosePlace, findExposure, toUpstream } from './place.ts';
import { createToken, writePrivate } from '../private-file.ts';
import { socketNames, watchSockets } from './sockets.ts';
import { createStack, workerGraceMs } from './stack.ts';
import { createStartupStatus } from './startup-status.ts';
import { createWebUi } from './web-ui.ts';
import { CliMissingError, fetchTemporalCli, findTemporalCli } from './temporal-cli.ts';

const lookMs = 1_000;
/** Cleaners of temporary folders count in days. */
const touchMs = 3_600_000;

const settings = readSettings();
const { folders } = settings;
const payloadKeys = readKeys();
mkdirSync(folders.logs, { recursive: true, mode: 0o700 });
const claim = claimFolder(folders.root);
// Another command was first: both use its stack.
if (claim === undefined) process.exit(0);
failpoint('supervisor.claimed');

// A new stack starts with the policy folder as it is now.
clearForceRecord(folders.root);

const { redactor } = createSecrets(process.env);
const log = createLogFile(join(folders.logs, 'supervisor.log'), undefined, redactor);
const say = (text: string): void => log.write(`${new Date().toISOString()} ${text}\n`);

const [exposure] = await Promise.all([
  findExposure(settings),
  endOrphans(folders.stackFile, workerGraceMs),
]);
failpoint('supervisor.orphans-ended');
const addresses = await chooseAddresses(folders.root);
let place = choose();
const startup = createStartupStatus();
const stack = createStack(settings, { addresses, place }, redactor);
const token = createToken();

function readKeys(): ReturnType<typeof readPayloadKeys> | undefined {
  try {
    return settings.payloadKeys === undefined ? undefined : readPayloadKeys(settings.payloadKeys);
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(78);
  }
}

function choose(): ReturnType<typeof choosePlace> {
  try {
    return choosePlace(folders.root, addresses, exposure);
  } catch (error) {
    if (!(error instanceof ExposureError)) throw error;
    say(error.message);
    process.stderr.write(`${error.message}\n`);
    return process.exit(error.exitCode);
  }
}

/** For programs in their own network namespace. */
function serveSocket(server: Server, path: string): void {
  rmSync(path, { force: true });
  createSocketServer((socket) => server.emit('connection', socket))
    // Its folder was just cleaned up: the next check recreates it.
    .on('error', (error) => say(`${path}: ${error.message}`))
    .listen(path);
}

const asText = (value: unknown, name: string): string => {
  if (typeof value === 'string' && value !== '') return value;
  throw new ControlError(`"${name}" must be text, got ${typeof value}.`);
};

let stopping = false;
const stop = async (exitCode: number): Promise<void> => {
  if (stopping) return;
  stopping = true;
  startup.set('stopping');
  say('stopping');
  await stack.stop();
  failpoint('supervisor.parts-stopped');
  for (const file of [folders.stackFile, folders.tokenFile]) rmSync(file, { force: true });
  claim.release();
  say('stopped');
  process.exit(exitCode);
};

const control = createControl(token, addresses.control, {
  '/status': () => stack.status(),
  '/wait': ({ seen }) => startup.waitForNews(typeof seen === 'number' ? seen : 0),
  '/key': ({ baseUrl, apiKey }) => {
    stack.handKey(asText(baseUrl, 'baseUrl'), asText(apiKey, 'apiKey'));
    return {};
  },
  '/secrets': ({ values }) => {
    stack.handSecrets(parseSecrets(values));
    return {};
  },
  '/demo': async () => ({ baseUrl: await stack.startDemo() }),
  '/down': () => {
    // After the response is sent: from then on the caller watches our pid.
    setImmediate(() => void stop(0));
    return {};
  },
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(0));
process.on('uncaughtException', (error) => {
  say(`ended by a mistake of ours: ${error.stack ?? error.message}`);
  void stop(70);
});

// Deleting the state folder stops its stack; a deleted or damaged stack.json is rewritten.
const look = (): void => {
  if (stopping) return;
  if (!existsSync(join(folders.root, 'supervisor.db'))) void stop(0);
  else if (!existsSync(folders.stackFile)) stack.writeDown();
};
setInterval(look, lookMs);

/** Sockets for the Web UI and, by its bridge, for Temporal; recreated if someone cleans them up. */
function keepSockets(webUi: Server): void {
  if (place.sockets === undefined) return;
  let watch = watchSockets(place.sockets);
  serveSocket(webUi, join(place.sockets, socketNames.ui));
  let looks = 0;
  const lookAgain = (): void => {
    // A starting bridge first removes an old socket, so one check is not enough.
    looks = watch.isDamaged() ? looks + 1 : 0;
    if (stopping || looks < 2 || !existsSync(folders.root)) return;
    looks = 0;
    try {
      place = choosePlace(folders.root, { ...addresses, sockets: place.sockets ?? '' }, undefined);
    } catch (error) {
      return say(`sockets are gone and cannot be made again: ${(error as Error).message}`);
    }
    const folder = place.sockets ?? '';
    say(`sockets are gone: starting Temporal again in ${folder}`);
    watch = watchSockets(folder);
    serveSocket(webUi, join(folder, socketNames.ui));
    void stack.moveTemporal(place);
  };
  setInterval(lookAgain, lookMs);
  setInterval(() => watch.touch(), touchMs);
}

// The token first: whoever finds stack.json may call at once.
writePrivate(folders.tokenFile, token);
control.listen(addresses.control, '127.0.0.1');
await once(control, 'listening');
const webUi = createWebUi({
  port: addresses.webUi,
  key: addresses.webKey,
  token,
  upstream: () => toUpstream(place),
  codec: createCodecAnswers(createPayloadCodec({ redactor, keys: payloadKeys })),
});
webUi.listen(addresses.webUi, '127.0.0.1');
keepSockets(webUi);
failpoint('supervisor.listening');
stack.start();
failpoint('supervisor.worker-started');
say(`started, pid ${process.pid}, Temporal at ${place.address}`);

const search = {
  cacheDir: settings.cacheDir,
  path: process.env['PATH'] ?? '',
  temporalCli: settings.temporalCli,
};
try {
  const cli =
    findTemporalCli(search) ??
    (await fetchTemporalCli(search, (line) => {
      say(line);
      startup.say(line);
    }));
  await stack.startTemporal(cli);
  failpoint('supervisor.temporal-up');
  if (!stopping) startup.set('serving');
} catch (error) {
  if (!(error instanceof CliMissingError)) throw error;
  say(error.message);
  startup.set('failed', { message: error.message, exitCode: error.exitCode });
  // Long enough to tell those waiting why; the next command tries again.
  setTimeout(() => void stop(error.exitCode), 1_000);
}
