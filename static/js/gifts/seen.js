// Which offsets came already. A push may come twice (a resend, a heal of a gap); it is shown once.

const KEPT = 4096;

export class Seen {
  #offsets = new Set();
  #folds = new Set();
  #epoch;

  /** True the first time. A push without an offset (a test gift) is always new. */
  add(offset) { return first(this.#offsets, offset); }

  addFold(offset) { return first(this.#folds, offset); }

  renew(epoch) {
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    this.#offsets.clear();
    this.#folds.clear();
  }
}

function first(set, offset) {
  if (offset === undefined || offset === null) return true;
  if (set.has(offset)) return false;
  set.add(offset);
  if (set.size > KEPT) set.delete(set.values().next().value);
  return true;
}
