const LINE_MAX = 96;

/** JSON for people: what fits on a line stands on one, so that a pack is a line and a list of countries too. */
export function textOf(value, indent = '') {
  const line = flat(value);
  if (line.length + indent.length <= LINE_MAX || isPlain(value)) return line;
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((one) => inner + textOf(one, inner))
    : Object.entries(value).map(([name, one]) => `${inner}${JSON.stringify(name)}: ${textOf(one, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`;
}

/** A number, a text, or a list of nothing else: a list of countries is one line, however many they are. */
function isPlain(value) {
  return typeof value !== 'object' || value === null || (Array.isArray(value) && value.every((one) => typeof one !== 'object'));
}

function flat(value) {
  if (Array.isArray(value)) return `[${value.map(flat).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${flat(one)}`).join(', ')}}`;
}

/**
 * What somebody wrote, read; whether it can be a price list is the server's to say.
 *
 * @returns {{list: object} | {wrong: string}} `wrong` is the sentence for whoever wrote it
 */
export function readText(text) {
  let list;
  try {
    list = JSON.parse(text);
  } catch (problem) {
    return { wrong: `This is not JSON yet. ${problem.message}.` };
  }
  if (typeof list !== 'object' || list === null || Array.isArray(list)) return { wrong: 'A price list is an object with “regions” and “promotions”.' };
  return { list };
}
