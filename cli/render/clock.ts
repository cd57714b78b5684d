const pad = (value: number): string => String(value).padStart(2, '0');

const toDay = (date: Date): string =>
  `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;

/** A time on the clock of whoever reads it: `14:03:22`, with the date where it is another day than `now`. */
export function renderClock(time: string, now = new Date()): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '?';
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return toDay(date) === toDay(now) ? clock : `${toDay(date)} ${clock}`;
}
