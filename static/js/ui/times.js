const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'medium' });
const dayAndMonth = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'long' });
const dayMonthYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
const monthAndYear = new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric' });
const dayShort = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const DAY_MS = 86_400_000;

/** "21:04" in the reader's own time zone. */
export function clockTime(atMs) {
  return clock.format(atMs);
}

/** "4 March 2026 at 21:04:09". */
export function exactTime(atMs) {
  return full.format(atMs);
}

/** "Today", "Yesterday", "Wed 4 March", and with the year when it is not this one. */
export function dayName(atMs, nowMs = Date.now()) {
  const day = startOfDay(atMs);
  const today = startOfDay(nowMs);
  if (day === today) return 'Today';
  if (day === startOfDay(today - DAY_MS / 2)) return 'Yesterday';
  const sameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? dayAndMonth : dayMonthYear).format(atMs);
}

/** "now", "40 s ago", "3 min ago", then the clock, then the day. */
export function ago(atMs, nowMs = Date.now()) {
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000));
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (startOfDay(atMs) === startOfDay(nowMs)) return clockTime(atMs);
  return `${dayShort.format(atMs)}, ${clockTime(atMs)}`;
}

/** A calendar date without a zone ("2026-03-04") → "4 Mar". */
export function shortDate(isoDate) {
  return dayShort.format(dateOf(isoDate));
}

/** "2026-03" → "March 2026". */
export function monthName(month) {
  return monthAndYear.format(dateOf(`${month}-01`));
}

/** Whole days from today to a calendar date; negative when it is over. */
export function daysUntil(isoDate, nowMs = Date.now()) {
  return Math.round((startOfDay(dateOf(isoDate).getTime()) - startOfDay(nowMs)) / DAY_MS);
}

function dateOf(isoDate) {
  const [year, month, day] = isoDate.slice(0, 10).split('-').map(Number);
  return new Date(year, month - 1, day);
}

function startOfDay(atMs) {
  return new Date(atMs).setHours(0, 0, 0, 0);
}
