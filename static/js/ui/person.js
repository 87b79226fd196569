// How a person looks wherever they appear: the same hue and the same initials in every list and on every stage.

/** @returns {number} 0…359, the same for the same id in every browser */
export function hueOf(id) {
  let hash = 7;
  for (const character of String(id)) hash = (hash * 31 + character.codePointAt(0)) % 9973;
  return (hash * 47) % 360;
}

/** The first letters of the first and the last word of a name. */
export function initialsOf(name) {
  const words = String(name).trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0] ?? '').join('').toLocaleUpperCase();
}
