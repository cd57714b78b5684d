import { randomInt } from 'node:crypto';

const firsts =
  'amber apt brave bright brisk calm clear clever cool deft eager early fair fast fine firm fond fresh glad gold good grand green happy keen kind light lively lucky merry mild neat noble plain proud quick quiet rapid ready red rosy sage sharp shy silver smart snug solid spry still strong sunny sure swift tidy true vivid warm wise witty young'.split(
    ' ',
  );
const seconds =
  'ant badger bear bee bison crab crane crow deer dove eagle eel elk falcon ferret finch fox frog gecko goose hare hawk hedgehog heron ibex jay koala lark lemur lion lynx magpie mole moose moth mouse newt orca otter owl panda perch pike puffin quail rabbit raven robin salmon seal shrew snail sparrow squid stork swan tiger toad trout viper walrus whale wolf wren yak'.split(
    ' ',
  );

export { runIdPattern } from '../config/run-id.ts';

const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? '';

/** A name to say and type, such as `brave-otter-4f2a`; about 260 million of them. */
export function createRunId(): string {
  return `${pick(firsts)}-${pick(seconds)}-${randomInt(0x10000).toString(16).padStart(4, '0')}`;
}
