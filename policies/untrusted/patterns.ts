/**
 * Patterns of text that tries to give a model orders, by kind. Deliberately narrow: each requires something that
 * ordinary files, manuals and logs do not say. docs/operations.md explains the kinds;
 * tests/policies/cases/injection.jsonl has examples.
 */
export interface InjectionPattern {
  readonly kind: InjectionKind;
  /** The beginning. No part of it repeats without a bound. */
  readonly expression: RegExp;
  /** What must follow, in order. */
  readonly next: readonly Following[];
  /** Lower case. Texts without any of these are not searched; empty: always search. */
  readonly needs: readonly string[];
}

/** Must follow within a number of characters, none of them matching `stop`. */
export interface Following {
  readonly within: number;
  readonly stop: string;
  /** Global. */
  readonly expression: RegExp;
}

export type InjectionKind =
  /** Revokes the model's instructions or sets another goal. */
  | 'override'
  /** Chat template markers that pretend another speaker. */
  | 'role'
  /** Tool calls and results as templates write them, our own framing included. */
  | 'tool-call'
  /** Addresses whatever model reads it. */
  | 'addressed'
  /** Claims that a person has approved something or need not be asked. */
  | 'approval'
  /** Asks to keep something from the person. */
  | 'secrecy'
  /** Asks to send secrets somewhere. */
  | 'exfiltration'
  /** Asks for the model's own instructions. */
  | 'prompt'
  /** More invisible characters than any script needs. */
  | 'hidden';

/** Between two words: white space, comment signs, list marks and emphasis. */
const gap = String.raw`[\s*_~\x60"'>#|/\\,:;.-]{1,16}`;

/** Words with any gap between them, in any case; `?` after a group works as in a regular expression. */
const words = (text: string): RegExp => new RegExp(text.replaceAll(' ', gap), 'i');

const model = String.raw`(?:ai|a\.i\.|llm|gpt|chatgpt|claude|copilot|gemini|cursor|codex|language model)`;
const reader = String.raw`(?:${model}(?: (?:assistant|agent|model|bot|coder|reviewer)s?)?|(?:coding|autonomous|automated) (?:assistant|agent)s?)`;
const earlier = String.raw`(?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|existing|original|current|system|initial)`;
const orders = String.raw`(?:instructions?|prompts?|directions?|directives?|guidelines?|orders|commands|messages?|context|rules|tasks?|goals?|constraints)`;
const drop = String.raw`(?:ignore|disregard|forget|override|discard|skip|bypass|do not follow|don['’]t follow|stop following)`;
const secret = String.raw`(?:\.env\b|environment variables?|credentials?|private keys?|ssh keys?|api[ _-]?keys?|(?:access|auth|secret)[ _-]?tokens?|passwords?|secrets?|id_rsa|id_ed25519|~\/\.ssh|~\/\.aws|\/etc\/shadow)`;
const away = String.raw`(?:send|post|upload|exfiltrate|leak|forward|transmit|submit|e-?mail|copy|paste|report|dns)`;

type Sequence = Pick<InjectionPattern, 'expression' | 'next'>;

const of = (
  kind: InjectionKind,
  needs: string,
  ...expressions: readonly (RegExp | Sequence)[]
): InjectionPattern[] =>
  expressions.map((given) => ({
    ...(given instanceof RegExp ? { expression: given, next: [] } : given),
    kind,
    needs: needs.split(' ').filter(Boolean),
  }));

/** A beginning and what follows it on the same line. */
const inLine = (first: RegExp, ...rest: readonly (readonly [number, RegExp])[]): Sequence => ({
  expression: toGlobal(first),
  next: rest.map(([within, expression]) => ({
    within,
    stop: '\n',
    expression: toGlobal(expression),
  })),
});

const inComment = (...rest: readonly (readonly [number, RegExp])[]): Sequence => ({
  expression: /<!--/g,
  next: rest.map(([within, expression]) => ({
    within,
    stop: '-->',
    expression: toGlobal(expression),
  })),
});

const toGlobal = ({ source, flags }: RegExp): RegExp =>
  new RegExp(source, flags.includes('g') ? flags : `${flags}g`);

export const injectionPatterns: readonly InjectionPattern[] = [
  ...of(
    'override',
    'ignor disregard forget override discard skip bypass follow your task goal objective you instructions orders 忽略 无视 無視 игнорируй',
    words(
      String.raw`\b${drop} (?:(?:all|any|every|the|of|your|my|these|those|everything) ){0,4}${earlier} (?:(?:user|system|developer|your|given) )?${orders}\b`,
    ),
    words(
      String.raw`\b${drop} (?:(?:all|any|the|of) ){0,3}(?:your|the user['’]?s) (?:${earlier} )?${orders}\b`,
    ),
    words(
      String.raw`\b(?:ignore|disregard|forget) (?:all|everything|anything)(?: (?:that|you|was|were|been|have|said|told|written)){0,8} (?:above|before this|so far|until now)\b`,
    ),
    words(
      String.raw`\byour (?:new|real|actual|true|only|updated) (?:goal|task|objective|mission|instructions?|orders|purpose) (?:is|are|now)\b`,
    ),
    words(
      String.raw`\b(?:the|your) (?:user['’]?s )?(?:goal|task|objective) has (?:now )?(?:changed|been (?:changed|replaced|updated))\b`,
    ),
    words(
      String.raw`\b(?:you are now|enter|switch to|from now on you are) (?:(?:a|an|in|the|no longer) ){0,2}(?:dan|jailbroken|unrestricted|unfiltered|developer mode|god mode|root mode|bound by|restricted)\b`,
    ),
    words(
      String.raw`\b(?:new|updated|revised) (?:system )?(?:instructions|orders) (?:from|by) (?:the )?(?:user|operator|developer|admin|administrator|system|owner|maintainer)\b`,
    ),
    // The same in other languages that models follow.
    words(
      String.raw`\bignorier(?:e|en Sie) (?:(?:alle|die) ){0,3}(?:vorherigen|bisherigen|vorigen|obigen) (?:An)?weisungen`,
    ),
    words(
      String.raw`\bignore[rz]? (?:toutes )?(?:les )?(?:instructions|consignes) (?:précédentes|antérieures|ci-dessus)`,
    ),
    words(String.raw`\bignor[ae] (?:todas )?(?:(?:las|tus) )?instrucciones (?:anteriores|previas)`),
    /(?:忽略|无视|無視)(?:所有|之前|以上|先前|前面|的|一切|上述){1,4}(?:指令|指示|提示|命令)/,
    /(?:以前|これまで|上記|前)の(?:すべての)?(?:指示|命令)(?:を|は)(?:すべて)?無視/,
    words(String.raw`игнорируй(?:те)? (?:все )?предыдущие (?:инструкции|указания)`),
  ),
  ...of(
    'role',
    '<| _of_turn> sys>> inst] <system <developer_message <user_message <assistant_message </ ## system human:',
    /<\|(?:im_start|im_end|system|user|assistant|developer|start_header_id|end_header_id|eot_id|begin_of_text|endoftext|start|message|end|channel)\|>/,
    /<(?:start|end)_of_turn>|<<\/?SYS>>|\[\/?INST\]/,
    /^[ \t]{0,40}<\/?(?:system|system[-_](?:reminder|prompt|message)|developer_message|user_message|assistant_message)>/im,
    inLine(
      /^[ \t]{0,40}#{2,3} ?(?:system|instruction|new instructions?)(?: prompt| message)?:?[ \t]{0,40}\n{1,3}/im,
      [200, /\b(?:you are|you must|ignore|disregard)\b/i],
    ),
    inLine(
      /^[ \t]{0,40}(?:\[?system(?: message| prompt| override)?\]?|system administrator)[ \t]{0,8}:/im,
      [
        120,
        /\b(?:you (?:are|must|will|should|may|can)|ignore|disregard|new instructions?|the user)\b/i,
      ],
    ),
    inLine(/\n\n(?:Human|Assistant): [^\n]/, [4_096, /\n\n(?:Human|Assistant): /]),
  ),
  ...of(
    'tool-call',
    'tool_ function invoke <result </re',
    /<\/?(?:tool_call|tool_response|tool_result|tool_use|function_calls?|function_results?)>/i,
    /<(?:antml:)?invoke\s{1,16}name=|<function=\w|\[TOOL_CALLS\]|\[TOOL_RESULTS\]/i,
    /<\/?result[^>\n]{0,100}\bboundary=|<\/(?:record|result)[ \t]{0,16}>[ \t]{0,16}$/im,
  ),
  ...of(
    'addressed',
    'ai a.i. llm gpt claude copilot gemini cursor codex model agent assistant',
    words(String.raw`\bif you are (?:an? |the )?${reader}\b`),
    inLine(
      words(
        String.raw`\b(?:note|notice|message|attention|instructions?|important|warning|hint|todo) (?:to|for|of) (?:(?:any|all|the|every|an|other) ){0,2}${reader}\b`,
      ),
      [
        160,
        words(
          String.raw`\b(?:must|should|run|execute|ignore|please|do not|don['’]t|send|fetch|add|delete|download)\b`,
        ),
      ],
    ),
    inLine(words(String.raw`\b(?:dear|hey|hello|attention) (?:all |any )?${reader}\b`), [
      160,
      words(String.raw`\b(?:must|should|run|execute|ignore|please|need you|do not|send|fetch)\b`),
    ]),
    words(
      String.raw`\b(?:as an?|any|all|every) ${reader} you (?:must|should|shall|need to|have to|are required)\b`,
    ),
    inLine(
      words(
        String.raw`\b(?:as an?|any|all|every) ${reader} (?:reading|processing|that reads?|who reads?|seeing|working|viewing|parsing)`,
      ),
      [60, words(String.raw` (?:must|should|shall|need to|have to|are required)\b`)],
    ),
    inComment(
      [
        400,
        /\b(?:ai|llm|assistant|chatgpt|claude|copilot|gemini|(?<!user[ -])agents?|language model)\b/i,
      ],
      [
        300,
        /\b(?:must|run|execute|curl|wget|ignore|send|fetch|never tell|do not tell|delete|upload)\b/i,
      ],
    ),
    inLine(
      /^\[\/\/\]: # [("']/im,
      [200, /\b(?:ai|llm|assistant|agents?)\b/i],
      [200, /\b(?:must|run|execute|curl|ignore|send|fetch)\b/i],
    ),
  ),
  ...of(
    'approval',
    'approv authori confirm consent grant agreed allowed permi signed',
    words(
      String.raw`\b(?:the |your )?(?:user|operator|owner|admin|administrator|human|developer|person|maintainer|security team) (?:has|have|already) (?:already )?(?:approved|authori[sz]ed|confirmed|consented|granted|agreed|allowed|permitted|signed off)(?= ?[.,;:!)\n]|$| (?:this|that|the|it|all|your|these|those|everything|every|any|you|to|for|network|access|running|in advance)\b)`,
    ),
    inLine(
      words(
        String.raw`\b(?:no|without) (?:(?:further|additional|more|any|user|human) ){0,2}(?:approval|confirmation|permission|consent) (?:is |are |was )?(?:needed|required|necessary)\b`,
      ),
      [80, words(String.raw`\b(?:run|execute|proceed|go ahead|continue|command|you)\b`)],
    ),
    words(
      String.raw`\b(?:do not|don['’]t|never|no need to) (?:ask|wait|stop|pause) (?:(?:the|your|a|any) )?(?:(?:user|person|human|operator|me|anyone) )?(?:for|to) (?:(?:any|further|a|their|his|her|your) )?(?:approval|confirmation|permission|consent|confirm|approve)\b`,
    ),
    words(
      String.raw`\b(?:pre-?approved|already approved|fully authori[sz]ed) by (?:the )?(?:user|operator|owner|admin|administrator|human|security|maintainers?)\b`,
    ),
  ),
  ...of(
    'secrecy',
    'user person human operator reviewer developer summary answer response report reply output plan',
    words(
      String.raw`\b(?:do not|don['’]t|never) (?:tell|inform|notify|alert|mention (?:this|it|that)(?: \w+)? to|reveal (?:this|it|that) to|show (?:this|it|that) to|let) (?:the |your )?(?:user|person|human|operator|reviewer|developer)\b`,
    ),
    words(
      String.raw`\bwithout (?:telling|informing|notifying|alerting|asking|mentioning (?:this|it) to) (?:the |your )(?:user|person|human|operator|reviewer)\b`,
    ),
    words(
      String.raw`\b(?:keep|hide|conceal) (?:this|it|that|these|what you (?:do|did))(?: \w{1,24}){0,2} from (?:the |your )(?:user|person|human|operator|reviewer)\b`,
    ),
    words(
      String.raw`\bdo not (?:mention|report|log|include) (?:this|these)(?: (?:instructions?|step|command|message|change))? (?:in|to) (?:your|the) (?:summary|answer|response|report|reply|output|reviewer|plan)\b`,
    ),
  ),
  ...of(
    'exfiltration',
    '.env environment credential key token password secret id_ .ssh .aws shadow curl wget nc ![',
    inLine(
      new RegExp(String.raw`\b${away}\b`, 'i'),
      [80, new RegExp(secret, 'i')],
      [80, /\b(?:to|at|via|into)\b/i],
      [
        60,
        /https?:\/\/|\bwebhook\b|\b(?:my|our|this|the following) (?:server|url|endpoint|address)\b/i,
      ],
    ),
    inLine(
      /\b(?:read|cat|print|collect|gather|find|open|dump)\b/i,
      [60, new RegExp(secret, 'i')],
      [120, /\b(?:and|then)\b/i],
      [40, /\b(?:send|post|upload|curl|exfiltrate|forward|transmit|e-?mail)\b/i],
    ),
    inLine(
      /\b(?:curl|wget)\b/i,
      [200, /--?(?:d|data|data-binary|data-raw|post-file|F|form|T|upload-file)(?=[ =]?["']?@?)/i],
      [60, /\.env\b|id_rsa|id_ed25519|\.ssh\/|\.aws\/|\.npmrc|\.netrc|credentials/i],
    ),
    inLine(/\b(?:curl|wget)\b/i, [
      200,
      /\$\((?:cat|printenv|env|base64)\b|`(?:cat|printenv|env|base64)\b/i,
    ]),
    inLine(
      /\b(?:cat|printenv|env|base64|tar)\b[^\n|]{0,100}\|/i,
      [60, /\b(?:curl|nc|ncat|wget)\b/i],
      [100, /https?:\/\/|\d{2,5}\b|@-/i],
    ),
    /!\[[^\]\n]{0,80}\]\(https?:\/\/[^)\s]{0,200}[?&][\w-]{1,40}=(?:\{\{?|\$\{?|<|\[)\s{0,8}[\w ._-]{0,40}(?:secret|key|token|env|data|content|conversation|history|password|summary)/i,
  ),
  ...of(
    'prompt',
    'prompt instructions message',
    words(
      String.raw`\b(?:reveal|print|repeat|output|show|display|write|send|leak|disclose) (?:(?:me|us|out|all|of) ){0,2}(?:the |your )(?:(?:full|entire|complete|exact|hidden|original) ){0,2}(?:system prompt|initial instructions|system message|hidden instructions|developer message)\b`,
    ),
  ),
  ...of(
    'hidden',
    '',
    // Tag characters spell out invisible ASCII; only flag emoji use any.
    /(?<!\u{1F3F4})[\u{E0020}-\u{E007F}]{2,}(?<!\u{1F3F4}[\u{E0020}-\u{E007F}]{1,8})/u,
    /[\u{E0100}-\u{E01EF}]{3,}|[\u{FE00}-\u{FE0F}]{4,}/u,
    /(?:\u200B|\u200C|\u200D|[\u2060-\u2064]|\uFEFF){4,}/,
    /(?:[A-Za-z](?:\u200B|\u200C|\u200D|\u2060|\uFEFF|\u00AD)){3,}/,
    // Forced direction in text that is not right-to-left: it reads differently from how it runs.
    /[\u202D\u202E][ -~\t]{0,200}[A-Za-z]|[\u202A\u202B\u2066\u2067\u2068](?=[ -~\t\n]{0,400}[;(){}=/*])/,
  ),
];
