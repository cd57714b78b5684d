import { findAssignments } from './assignments.ts';
import { findInAddresses, findPrivateKeys } from './blocks.ts';
import { findFormats } from './formats.ts';
import { createKnownForms } from '../commands/known-forms.ts';
import type { SecretValue } from './values.ts';
import { toForms } from './values.ts';

/** Redacted text and the number of secrets removed. */
export interface Redacted {
  readonly text: string;
  readonly count: number;
}

/** Redacts secrets from text. Known values can be added at any time. */
export interface Redactor {
  /** Returns the same text if there is nothing to redact. Idempotent; JSON stays JSON. */
  redact(text: string): Redacted;
  /** Just the redacted text. */
  mask(text: string): string;
  /** Where the secrets are, in order and without overlaps. */
  find(text: string): readonly Secret[];
  /** Redacts these values too from now on, in every encoding. */
  add(values: readonly SecretValue[]): void;
  /** All values added, in order, for another redactor in this process. */
  readonly known: readonly SecretValue[];
  /** Length of the longest known value containing white space; 0 if none. */
  readonly maxSpaced: number;
}

/** A secret in a text, from `start` up to `end`. */
export interface Secret {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
}

/** Replaces a secret; `kind` is its format, or the name of the variable that holds it. */
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
    // The remains of two adjacent secrets may only now look like one.
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

/** Merges overlapping secrets into one, named after the first. */
function merge(secrets: readonly Secret[]): readonly Secret[] {
  const merged: Secret[] = [];
  for (const secret of secrets.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || secret.start >= last.end) merged.push(secret);
    else if (secret.end > last.end) merged[merged.length - 1] = { ...last, end: secret.end };
  }
  return merged;
}

/** Replaces secrets with placeholders. */
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

/** Applied to text before it is stored. */
export type Mask = Pick<Redactor, 'mask'>;

/** For copies of text that was redacted before it was first stored: their bytes must not change. */
export const asStored: Mask = { mask: (text) => text };

/** Redacts any plain value, via JSON. */
export function redactValue<T>({ redact }: Pick<Redactor, 'redact'>, value: T): T {
  const { text, count } = redact(JSON.stringify(value));
  return count === 0 ? value : (JSON.parse(text) as T);
}

/** Redacts by form only; knows no values. */
export const formRedactor: Redactor = createRedactor();
