/** What a stack that does nothing keeps in memory. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../setup/cli.ts';
import type { Row } from './measure.ts';

/** After this long the parts have read their code and nothing more is on its way. */
const settleMs = 10_000;
const limitMb = 450;

interface Memory {
  readonly name: string;
  /** KiB that only this process has. */
  readonly own: number;
  /** KiB of each file that is mapped: programs and libraries, the same pages in every process. */
  readonly files: ReadonlyMap<string, number>;
}

function readTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [
    pid,
    ...(children === '' ? [] : children.split(' ').flatMap((id) => readTree(Number(id)))),
  ];
}

const ofKiB = (block: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(block)?.[1] ?? 0);

function readProcess(pid: number): Memory {
  const files = new Map<string, number>();
  let own = 0;
  for (const block of readFileSync(`/proc/${pid}/smaps`, 'utf8').split(
    /^(?=[\da-f]+-[\da-f]+ )/m,
  )) {
    const file = /^\S+ \S+ \S+ \S+ \d+ +(\/.*)$/m.exec(block)?.[1];
    const anonymous = file === undefined ? ofKiB(block, 'Rss') : ofKiB(block, 'Anonymous');
    own += anonymous;
    if (file !== undefined)
      files.set(file, (files.get(file) ?? 0) + ofKiB(block, 'Rss') - anonymous);
  }
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const script = words.find((word) => word.endsWith('.ts')) ?? words[0] ?? '';
  return { name: script.replace(/^.*\//, '').replace(/\.ts$/, ''), own, files };
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, one) => all + one, 0);

/** Added up as `agent ps` shows it, and with each page counted once, which is what the machine has less. */
export async function measureIdle(machine: Machine): Promise<Row[]> {
  // The first start compiles, and keeps what it compiled.
  await machine.run('up');
  await sleep(settleMs);
  await machine.run('down');
  await machine.run('up');
  await sleep(settleMs);
  const processes = readTree(await machine.pidOf('supervisor')).map(readProcess);
  const shared = new Map<string, number>();
  for (const { files } of processes)
    for (const [file, size] of files) shared.set(file, Math.max(shared.get(file) ?? 0, size));
  const own = sum(processes.map((one) => one.own));
  const added = own + sum(processes.map((one) => sum(one.files.values())));
  const note = processes.map((one) => `${one.name} ${Math.round(one.own / 1024)}`).join(', ');
  return [
    {
      name: 'idle stack, each page counted once / 450 MB',
      ours: (own + sum(shared.values())) / 1024,
      baseline: limitMb,
      unit: 'MB',
      limit: 1,
      note: `of its own: ${note}; programs ${Math.round(sum(shared.values()) / 1024)}`,
    },
    {
      name: 'idle stack, resident memory of its processes added up / 450 MB',
      ours: added / 1024,
      baseline: limitMb,
      unit: 'MB',
    },
  ];
}
