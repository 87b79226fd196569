/** Moments as people say them, in a time zone of the IANA database, or in the reader's own where none is given. */

const DAY_MS = 86_400_000;

/** "21:04". */
export function clockIn(atMs, zone) {
  return format(zone, { hour: '2-digit', minute: '2-digit' }).format(atMs);
}

/** "today at 21:04", "tomorrow at 00:00", "Sat 28 November at 21:04", and with the year when it is not this one. */
export function dayAndClock(atMs, zone, nowMs = Date.now()) {
  return `${dayIn(atMs, zone, nowMs)} at ${clockIn(atMs, zone)}`;
}

/** The same after a verb: "on Sat 28 November at 21:04". */
export function onDayAndClock(atMs, zone, nowMs = Date.now()) {
  const words = dayAndClock(atMs, zone, nowMs);
  return words.startsWith('to') ? words : `on ${words}`;
}

/** What "until" is followed by: the clock alone within a day, else the day, to which the last second does not belong. */
export function untilIn(atMs, zone, nowMs = Date.now()) {
  return atMs - nowMs <= DAY_MS ? clockIn(atMs, zone) : dayIn(atMs, zone, nowMs);
}

/** The reader's own zone. */
export function ownZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function dayIn(atMs, zone, nowMs) {
  const [day, today] = [dateIn(atMs, zone), dateIn(nowMs, zone)];
  if (day === today) return 'today';
  if (day === after(today)) return 'tomorrow';
  const year = day.slice(0, 4) === today.slice(0, 4) ? {} : { year: 'numeric' };
  return format(zone, { weekday: 'short', day: 'numeric', month: 'long', ...year }).format(atMs).replaceAll(',', '');
}

function dateIn(atMs, zone) {
  return format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }, 'en-CA').format(atMs);
}

function after(date) {
  return new Date(Date.parse(`${date}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
}

/** The server may know a zone that this browser does not: its reader's own clock is better than none. */
function format(timeZone, options, language = 'en-GB') {
  try {
    return new Intl.DateTimeFormat(language, { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat(language, options);
  }
}
