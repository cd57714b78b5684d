/** Schemas shared by the rules of all three files. */
import { z } from 'zod';
import { toHostPattern } from './network/hosts.ts';
import { GlobError, toGlob } from './paths/glob.ts';

export const line = z.string().min(1).max(500);

/** Text in one of our notations, checked here so that its faults are reported with all others. */
export const written = (expected: string, read: (text: string) => unknown) =>
  z
    .string()
    .min(1)
    .max(5000)
    .superRefine((text, context) => {
      try {
        read(text);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const quotes = !(error instanceof GlobError);
        context.addIssue({ code: 'custom', message, params: { expected, quotes } });
      }
    });
const pathPattern = written('a path pattern such as "src/**" or "**/*.key"', toGlob);
const toolPattern = written('the name of a tool, with * and ? as wildcards', (text) => {
  if (!/^[A-Za-z0-9_.*?-]{1,128}$/.test(text)) throw new Error(`"${text}" names no tool`);
});
const hostPattern = written('a host, host:port or *.domain, without scheme or path', toHostPattern);
export const variable = written('the name of a variable, with * as wildcard', toGlob);
export const examples = {
  match: z.array(z.string()).optional(),
  not_match: z.array(z.string()).optional(),
};
export const verdict = z.enum(['allow', 'ask', 'deny']);
export const version = z.literal(1);

/** A rule is a bare pattern, or a mapping with the pattern under `key`. */
export const lists = <T extends z.ZodType>(rule: T) => ({
  deny: z.array(rule).optional(),
  ask: z.array(rule).optional(),
  allow: z.array(rule).optional(),
});

export const toolRule = z.union([
  toolPattern,
  z.strictObject({ tool: toolPattern, reason: line.optional(), ...examples }),
]);
export const pathRule = z.union([
  pathPattern,
  z.strictObject({
    path: z.union([pathPattern, z.array(pathPattern).min(1)]),
    reason: line.optional(),
    ...examples,
  }),
]);
export const hostRule = z.union([
  hostPattern,
  z.strictObject({
    host: hostPattern,
    ports: z.array(z.number().int().min(1).max(65535)).min(1).optional(),
    methods: z
      .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
      .min(1)
      .optional(),
    reason: line.optional(),
    ...examples,
  }),
]);
