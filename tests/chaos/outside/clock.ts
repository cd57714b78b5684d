/** Loaded into every Node process of a world: its wall clock goes wrong by what the file named in CHAOS_CLOCK says. */
import { readFileSync } from 'node:fs';

const file = process.env['CHAOS_CLOCK'];
const RealDate = Date;

function readOffset(): number {
  try {
    return Number(readFileSync(file ?? '', 'utf8'));
  } catch {
    return 0;
  }
}

const now = (): number => RealDate.now() + readOffset();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: readonly unknown[]) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args) as object,
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver: unknown) =>
    name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown),
});
