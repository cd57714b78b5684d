/** How a command declares its options and what it does; its name and summary are in commands.ts. */

export interface Option<T = unknown> {
  /** Placeholder for the value in help; absent for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
  /** Parses the value; without it, the value is text. `name` is the full option, such as `--lines`. @throws CliError */
  readonly parse?: (text: string, name: string) => T;
}

export type Options = Readonly<Record<string, Option>>;

/** The options given; `true` for a switch. */
export type Given<O extends Options> = {
  readonly [K in keyof O]?: O[K] extends { parse: (text: string, name: string) => infer T }
    ? T
    : O[K] extends { value: string }
      ? string
      : true;
};

/** What was typed after the command name. */
export interface Invocation<O extends Options = Options> {
  readonly args: readonly string[];
  readonly options: Given<O>;
  readonly json: boolean;
}

export interface Command<O extends Options = Options> {
  readonly options?: O;
  readonly example: string;
  /** The last argument is text that people forget to quote. */
  readonly quote?: true;
  /** `--json` prints one event per line instead of one value. */
  readonly streams?: true;
  /** Runs the command and returns the exit code. @throws CliError */
  run(invocation: Invocation<O>): Promise<number>;
}

/** A command whose `run` has typed options. */
export const defineCommand = <O extends Options>(command: Command<O>): Command<O> => command;
