import type { Granted, ProposedGrant } from '../../policies/grants/grant.ts';
import { showControls } from '../clean.ts';
import type { Style } from './style.ts';

/** Nothing shown may hide or reorder text: what a person reads is what they allow. */
export const isShownWhole = ({ granted, workspace }: ProposedGrant): boolean => {
  const text = JSON.stringify([granted, workspace]);
  return showControls(text) === text;
};

/** Each rule in full, with its examples. Pure. */
export const renderRules = (rules: readonly ProposedGrant[], style: Style): string[] =>
  rules.flatMap((rule) => {
    const { tool, granted, workspace, lifts, match, notMatch } = rule;
    const rows: (readonly [string, readonly string[]])[] = [
      ['allow', toLines(renderGranted(tool, granted))],
      ['in', [workspace + ('cwd' in granted && granted.cwd !== '.' ? `/${granted.cwd}` : '')]],
      ['though', lifts.map((id) => `${id} asks`)],
      ['so', match.flatMap((example) => toLines(example))],
      ['but not', notMatch.flatMap((example) => toLines(example))],
    ];
    return rows.flatMap(([name, lines]) =>
      lines.map((line, index) => `    ${style.dim((index === 0 ? name : '').padEnd(8))}${line}`),
    );
  });

function renderGranted(tool: string, granted: Granted): string {
  switch (granted.kind) {
    case 'command':
      return `the command ${JSON.stringify(granted.argv)}`;
    case 'text':
      return `the text ${granted.text}`;
    case 'file':
      return `${tool} ${granted.path}, with any content`;
    case 'call':
      return `${tool} ${JSON.stringify(granted.args)}`;
  }
}

const toLines = (text: string): string[] => showControls(text).split('\n');
