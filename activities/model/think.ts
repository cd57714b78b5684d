import type { Registry } from '../../tools/registry.ts';
import type { Observation } from '../contract/act.ts';
import type { ThinkAnswer, ThinkRequest } from '../contract/model.ts';
import type { Call } from '../contract/refs.ts';
import type { Message, ModelReply } from './conversation.ts';
import type { Checked } from './outcome.ts';
import type { FullPlan } from './plan.ts';
import type { Role } from './role.ts';
import { thinkSystem, toFollowUp, toStepPrompt } from './think-prompt.ts';
import { fitToContext, toToolMessages } from './transcript.ts';

/** Turns with more calls are refused: the model is lost. */
const maxCalls = 16;

/** One turn: reads the conversation, adds the last turn's results, asks, stores what was added. */
export async function askThink(role: Role, request: ThinkRequest) {
  const { blobs, tools, transcripts } = role;
  const past = await transcripts.read(request.transcript);
  const added = [
    ...(past.length === 0 ? await openStep(role, request) : []),
    ...(await followUp(role, request, past)),
  ];
  return await role.ask<ThinkAnswer>({
    model: request.model,
    messages: fitToContext([...past, ...added], role.contextTokens),
    tools: tools
      .toOffered(request)
      .map(({ name, description, parameters }) => ({ name, description, parameters })),
    async check(reply) {
      if (request.lastWord) return { ok: true, value: toLastWord(tools, reply, request) };
      const calls = checkCalls(tools, reply);
      if (!calls.ok) return calls;
      const transcript = await transcripts.store({
        v: 1,
        parent: request.transcript,
        messages: [...added, { role: 'assistant', text: reply.text, calls: reply.calls }],
        args: calls.value,
      });
      return { ok: true, value: toAnswer(tools, reply, calls.value, transcript) };
    },
  });

  async function openStep(
    { blobs: store }: Role,
    { goal, facts, plan, step, claims }: ThinkRequest,
  ): Promise<Message[]> {
    const whole = await store.getJson<FullPlan>(plan);
    const current = whole.steps.find(({ id }) => id === step);
    if (current === undefined) throw new Error(`Step ${step} is not in plan ${plan}.`);
    const prompt = toStepPrompt({
      goal,
      facts: await blobs.getText(facts),
      approach: whole.approach,
      step: current,
      steps: whole.steps,
      claims: claims ?? [],
    });
    return [
      { role: 'system', text: thinkSystem },
      { role: 'user', text: prompt },
    ];
  }
}

async function followUp(
  { blobs, tools }: Role,
  request: ThinkRequest,
  past: readonly Message[],
): Promise<Message[]> {
  const observations = await Promise.all(
    request.observations.map((ref) => blobs.getJson<Observation>(ref)),
  );
  const notes = await Promise.all(request.notes.map((ref) => blobs.getText(ref)));
  const last = past.at(-1);
  const results = last?.role === 'assistant' ? toToolMessages(tools, last.calls, observations) : [];
  const text = toFollowUp(notes, request.said, request.nudge);
  return text === '' ? results : [...results, { role: 'user', text }];
}

/** The run is over: nothing in it is run or stored. */
function toLastWord(
  tools: Registry,
  { text, calls }: ModelReply,
  { transcript = '' }: ThinkRequest,
): ThinkAnswer {
  const finish = calls.find(({ name }) => tools.find(name)?.control?.kind === 'finish');
  const parsed =
    finish === undefined ? undefined : tools.parseArguments(finish.name, finish.arguments);
  const said = parsed?.ok === true ? parsed.args['summary'] : undefined;
  const summary = typeof said === 'string' && said !== '' ? said : text;
  return {
    transcript,
    thought: text.slice(0, 300),
    calls: [],
    finish: summary === '' ? undefined : { summary: summary.slice(0, 1_200), evidence: '' },
  };
}

/** How chat templates write a call the server did not parse. Never run: a file may contain such text. */
const callAsText =
  /<tool_call>|<function=|\[TOOL_CALLS\]|<\|channel\|>|"name"\s*:\s*"\w+"\s*,\s*"(arguments|parameters)"/;

/** Checks every call's arguments; one bad call sends the whole turn back, so that nothing is half done. */
function checkCalls(
  tools: Registry,
  { text, calls }: ModelReply,
): Checked<Readonly<Record<string, unknown>>[]> {
  if (calls.length === 0) {
    return {
      ok: false,
      reason: callAsText.test(text)
        ? 'A tool call written as text is not run. Use the tool calls of the API.'
        : 'Every answer must call a tool. If the step is done, call finish_step; if only the user can decide, call ask_human.',
    };
  }
  if (calls.length > maxCalls)
    return { ok: false, reason: `At most ${maxCalls} calls at once, got ${calls.length}.` };
  const args: Readonly<Record<string, unknown>>[] = [];
  for (const call of calls) {
    const parsed = tools.parseArguments(call.name, call.arguments);
    if (!parsed.ok) return parsed;
    args.push(parsed.args);
  }
  return { ok: true, value: args };
}

/**
 * What the workflow does next. `finish_step` may accompany other calls: they run first, in order, then the step counts
 * as finished and goes to the reviewer.
 */
function toAnswer(
  tools: Registry,
  reply: ModelReply,
  args: readonly Readonly<Record<string, unknown>>[],
  transcript: string,
): ThinkAnswer {
  const calls: Call[] = [];
  let answer: ThinkAnswer = { transcript, thought: reply.text.slice(0, 300), calls };
  for (const [index, { id, name }] of reply.calls.entries()) {
    const given = args[index] ?? {};
    const word = (key: string, length: number): string => {
      const value = given[key];
      return typeof value === 'string' ? value.slice(0, length) : '';
    };
    switch (tools.find(name)?.control?.kind) {
      case 'finish': {
        const finish = { summary: word('summary', 500), evidence: word('evidence', 500) };
        answer = { ...answer, finish };
        break;
      }
      case 'question':
        answer = { ...answer, question: { id, text: word('question', 1_000) } };
        break;
      case undefined: {
        const preview = tools.toPreview(name, given);
        calls.push({ id, tool: name, segment: transcript, index, preview });
      }
    }
  }
  return answer;
}
