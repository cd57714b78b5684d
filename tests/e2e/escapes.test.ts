/** Attempts to get out of a command's sandbox, or to take the machine down with it, in a run that then goes on. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { RunEvent } from '../../audit/events/events.ts';
import { oneStep } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';

/** Its seconds make it known among all the processes of the machine. */
const sleeper = String(80_000 + (process.pid % 10_000));
const [temporalHost = '', temporalPort = '0'] = (process.env['TEMPORAL_TEST_ADDRESS'] ?? '').split(
  ':',
);

interface Attempt {
  readonly name: string;
  /** Prints a line that begins with ESCAPED when it got somewhere. */
  readonly program: string;
  readonly timeoutSeconds?: number;
  /** What the model reads of it. */
  readonly says?: RegExp;
}

const attempt = (program: string): string =>
  `const f=require('fs'),p=require('child_process'),net=require('net');
  const escaped=(...what)=>console.log('ESCAPED',...what);
  const tryTo=(work)=>{try{escaped(work())}catch(e){console.log('refused',e.code??e.message)}};
  const reach=(port,host)=>net.connect(port,host).on('connect',()=>escaped(host,port)).on('error',(e)=>console.log('refused',e.code));
  ${program}`;

const toAttempts = (out: string): readonly Attempt[] => [
  {
    name: 'write outside',
    program: `for(const at of ['${out}','/root','/etc','/usr','/','/dev','/proc','/sys','/var'])
      tryTo(()=>{f.writeFileSync(at+'/w','x');return at})`,
    says: /(refused \w+\n){9}/,
  },
  {
    name: 'read outside',
    program: `for(const at of ['/root','/etc/shadow','/home/../root/.ssh','${out}/secret','/proc/1/root/etc/shadow','/sys/class','/var/lib'])
      tryTo(()=>f.statSync(at).isDirectory()?f.readdirSync(at):f.readFileSync(at))`,
    says: /(refused \w+\n){7}/,
  },
  {
    name: 'reach Temporal',
    program: `reach(${temporalPort},'${temporalHost}')`,
    says: /refused ECONNREFUSED/,
  },
  {
    name: 'reach the internet',
    program: `reach(443,'1.1.1.1'); reach(80,'93.184.216.34')`,
    says: /refused ENETUNREACH/,
  },
  {
    name: 'look into other processes',
    program: `for(const pid of f.readdirSync('/proc').filter(Number)) if(pid!=process.pid) tryTo(()=>{
      const fd=f.openSync('/proc/'+pid+'/mem','r'); const b=Buffer.alloc(16); f.readSync(fd,b,0,16,0x400000); return pid});
      const seen=f.readdirSync('/proc').filter(Number).length; if(seen>20) escaped('processes',seen)`,
  },
  {
    name: 'leave a process behind',
    program: `for(const line of ['setsid sleep ${sleeper} &','nohup sleep ${sleeper} >/dev/null 2>&1 &','(sleep ${sleeper} &) &'])
      p.spawn('sh',['-c',line],{detached:true,stdio:'ignore'}).unref();
      setTimeout(()=>process.exit(0),200)`,
  },
  {
    name: 'fill the disk with one file',
    program: `tryTo(()=>{const fd=f.openSync('big','w');for(let n=0;n<400;n++)f.writeSync(fd,Buffer.alloc(1048576));return 'big'})`,
  },
  {
    name: 'fill the disk with many files',
    program: `for(let n=0;n<4000;n++) f.writeFileSync('many'+n,Buffer.alloc(1048576)); escaped('many')`,
    says: /sandbox\.growth_bytes/,
  },
  {
    name: 'fill memory with files',
    program: `for(const at of ['/tmp','/dev/shm','/run','/home/agent']) tryTo(()=>{for(let n=0;n<400;n++)f.writeFileSync(at+'/'+n,Buffer.alloc(1048576));return at})`,
    says: /(refused ENOSPC\n){4}/,
  },
  {
    name: 'a fork bomb',
    program: `f.writeFileSync('bomb.sh','b() { b | b & }; b; sleep 30'); p.spawnSync('bash',['bomb.sh'],{stdio:'ignore'})`,
    timeoutSeconds: 2,
    says: /stopped after 2 s|sandbox\.processes|exit code/,
  },
  {
    name: 'a memory hog',
    program: `const all=[];for(;;)all.push(Buffer.alloc(16777216,1))`,
    says: /sandbox\.memory_bytes/,
  },
  {
    name: 'many open files',
    program: `tryTo(()=>{const all=[];for(let n=0;n<5000;n++)all.push(f.openSync('/dev/null'));return all.length})`,
    says: /refused EMFILE/,
  },
  {
    name: 'ignore the request to end',
    program: `for(const s of ['SIGTERM','SIGINT','SIGHUP'])process.on(s,()=>{});setInterval(()=>{},1000)`,
    timeoutSeconds: 1,
    says: /stopped after 1 s/,
  },
];

const megabytes = (count: number): string => String(count * 1_048_576);

/** The shipped limits, smaller, so that they are met within seconds. */
function tighten(tools: string): string {
  const smaller: Readonly<Record<string, string>> = {
    memory_bytes: megabytes(400),
    growth_bytes: megabytes(64),
    file_bytes: megabytes(32),
    tmp_bytes: megabytes(32),
    processes: '128',
  };
  return Object.entries(smaller).reduce(
    (text, [name, value]) =>
      text.replace(new RegExp(`^  ${name}: \\d+$`, 'm'), `  ${name}: ${value}`),
    tools,
  );
}

const finishedCalls = (events: readonly RunEvent[]): number =>
  events.filter(({ type }) => type === 'tool.finished').length;

const isSleeper = (pid: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`sleep\0${sleeper}\0`);
  } catch {
    return false;
  }
};

suite('a run whose commands try everything', () => {
  test('gets nowhere with any of them, leaves nothing, and goes on to its end', async (t) => {
    const out = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-outside-')));
    t.after(() => rmSync(out, { recursive: true, force: true }));
    mkdirSync(join(out, 'secret'));
    const attempts = toAttempts(out);
    const calls = attempts.map(({ program, timeoutSeconds }) => ({
      name: 'run_command',
      args: { argv: ['node', '-e', attempt(program)], timeoutSeconds },
    }));
    const last = { name: 'run_command', args: { argv: ['node', '-p', '"still here"'] } };
    const tools = readFileSync(new URL('../../policies/tools.yaml', import.meta.url), 'utf8');
    const agent = await startAgent(oneStep([...calls, last].map((call) => ({ call: [call] }))), {
      policies: { 'tools.yaml': tighten(tools) },
    });
    t.after(() => agent.stop());
    const handle = await agent.start('Try everything');
    const result = await handle.result();
    const events = await agent.events(handle);
    if (events.some(({ type }) => type === 'run.restricted')) return t.skip('no sandbox here');
    assert.equal(result.status, 'done', result.summary);
    assert.equal(finishedCalls(events), attempts.length + 1);
    const outputs = events.flatMap((event) => (event.type === 'tool.output' ? [event] : []));
    for (const [index, { name, says }] of attempts.entries()) {
      const text = await agent.blobs.getJson<{ text: string }>(outputs[index]?.observation ?? '');
      assert.doesNotMatch(text.text, /^ESCAPED/m, name);
      if (says !== undefined) assert.match(text.text, says, name);
    }
    assert.deepEqual(readdirSync(out), ['secret']);
    assert.deepEqual(readdirSync('/proc').filter(isSleeper), []);
  });
});
