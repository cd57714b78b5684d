import assert from 'node:assert/strict';
import { test } from 'node:test';
import { executors } from '../../activities/act/executors.ts';
import { builtInTools } from '../../tools/built-in.ts';

test('every tool that the workflow does not carry out itself has an executor, and no other name', () =>
  assert.deepEqual(
    [...executors.keys()].toSorted(),
    builtInTools.flatMap(({ name, control }) => (control === undefined ? [name] : [])).toSorted(),
  ));
