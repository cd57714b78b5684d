import { findAssignments } from './assignments.ts';
import { findInAddresses, findPrivateKeys } from './blocks.ts';
import { findFormats } from './formats.ts';
import { createKnownForms } from '../commands/known-forms.ts';
import type { SecretValue } from './values.ts';
import { toForms } from './values.ts';

/** A text without its secrets, and how many there were. */
export interface Redacted {
  readonly text: string;
  readonly count: number;
}

/** Takes secrets out of text. What is known beyond their forms can be added at any time. */
export interface Redactor {
  /** The same text when there is nothing in it. Done twice, it is as done once; JSON stays JSON. */
  redact(text: string): Redacted;
  /** The text alone. */
  mask(text: string): string;
  /** Where secrets are, in order and apart from each other. */
  find(text: string): readonly Secret[];
  /** Further values to take out from now on, in every way they may be written. */
  add(values: readonly SecretValue[]): void;
  /** All that were told, in order; for another redactor of this program. */
  readonly known: readonly SecretValue[];
  /** Longest form of a known value with white space in it; 0 if there is none. */
  readonly maxSpaced: number;
}

/** A secret in a text, from `start` up to `end`. */
export interface Secret {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
}

/** What stands for a secret; `kind` is the format, or the name of the variable that holds it. */
export const toPlaceholder = (kind: string): string => `[secret:${kind}]`;

const placeholder = /\[secret:[\w.-]{1,64}\]/g;

/** How often each placeholder occurs in a text. */
export function countPlaceholders(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (!text.includes('[secret:')) return counts;
  for (const [found] of text.matchAll(placeholder)) counts.set(found, (counts.get(found) ?? 0) + 1);
  return counts;
}

const toKind = (name: string): string => name.replaceAll(/[^\w.-]/g, '_').slice(0, 64) || 'value';

const maxRounds = 10;

export function createRedactor(values: readonly SecretValue[] = []): Redactor {
  const known: SecretValue[] = [];
  const told = new Set<string>();
  const forms = createKnownForms();
  let maxSpaced = 0;

  const add = (more: readonly SecretValue[]): void => {
    for (const secret of more) {
      const { name, value } = secret;
      if (told.has(value)) continue;
      told.add(value);
      known.push(secret);
      for (const form of toForms(value)) {
        if (forms.add(form, toKind(name)) && /\s/.test(form))
          maxSpaced = Math.max(maxSpaced, form.length);
      }
    }
  };
  add(values);

  const find = (text: string): readonly Secret[] => {
    const secrets: Secret[] = [];
    const found = (start: number, end: number, kind: string): void => {
      secrets.push({ start, end, kind });
    };
    forms.find(text, found);
    findFormats(text, found);
    findPrivateKeys(text, found);
    findInAddresses(text, found);
    findAssignments(text, found);
    return secrets.length < 2 ? secrets : merge(secrets);
  };

  const redact = (whole: string): Redacted => {
    let text = whole;
    let count = 0;
    // What is left of two secrets without a gap may look like one only now.
    for (let round = 0; round < maxRounds; round++) {
      const secrets = find(text);
      if (secrets.length === 0) break;
      text = replaceAll(text, secrets);
      count += secrets.length;
    }
    return { text, count };
  };

  return {
    redact,
    mask: (text) => redact(text).text,
    find,
    add,
    known,
    get maxSpaced() {
      return maxSpaced;
    },
  };
}

/** One after the other; where two overlap, all that either covers goes, under the name of the first found. */
function merge(secrets: readonly Secret[]): readonly Secret[] {
  const merged: Secret[] = [];
  for (const secret of secrets.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || secret.start >= last.end) merged.push(secret);
    else if (secret.end > last.end) merged[merged.length - 1] = { ...last, end: secret.end };
  }
  return merged;
}

/** The text with placeholders for its secrets. */
export function replaceAll(text: string, secrets: readonly Secret[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, kind } of secrets) {
    parts.push(text.slice(at, start), toPlaceholder(kind));
    at = end;
  }
  parts.push(text.slice(at));
  return parts.join('');
}

/** What stores text takes it through this. */
export type Mask = Pick<Redactor, 'mask'>;

/** For copies of what went through a redactor before it was first stored: they must keep its bytes. */
export const asStored: Mask = { mask: (text) => text };

/** Any plain value, as JSON tells it, without its secrets. */
export function redactValue<T>({ redact }: Pick<Redactor, 'redact'>, value: T): T {
  const { text, count } = redact(JSON.stringify(value));
  return count === 0 ? value : (JSON.parse(text) as T);
}

/** Takes out what shows by its form; knows no values. */
export const formRedactor: Redactor = createRedactor();
