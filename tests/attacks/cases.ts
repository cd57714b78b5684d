/** Attacks and benign look-alikes, as `agent policies check --cases` reads them: ours, and a shared corpus where there is one. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface AttackCase {
  readonly id: string;
  readonly kind: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly expect: 'allow' | 'deny' | 'error' | 'needs-approval';
  readonly why: string;
  /** `effect`: any verdict, if nothing happens. */
  readonly layer?: 'policy' | 'effect' | 'any';
  readonly oracle?: Readonly<Record<string, unknown>>;
}

const shared =
  process.env['AGENT_ATTACK_CORPUS'] ??
  join(import.meta.dirname, '..', '..', '..', 'shared', 'corpus', 'attack-corpus-shared.jsonl');

const read = (file: string): AttackCase[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as AttackCase);

/** The cases of some kinds. AGENT_ATTACK_CORPUS names another file than `../shared/corpus/attack-corpus-shared.jsonl`. */
export const readAttacks = (...kinds: readonly string[]): AttackCase[] =>
  [join(import.meta.dirname, 'own.jsonl'), ...(existsSync(shared) ? [shared] : [])]
    .flatMap(read)
    .filter(({ kind }) => kinds.includes(kind));
