/**
 * Finds many known strings in one pass (Aho–Corasick), whatever the text. Most of it is skipped: looking at four
 * characters in five proves that no known string is near.
 */
export interface KnownForms {
  /** Adds a string to look for. False if it is too short or there is no room. */
  add(form: string, name: string): boolean;
  /** Reports matches in order, without overlaps; of two that overlap, the longer gives the name. */
  find(text: string, found: (start: number, end: number, name: string) => void): void;
}

/** Minimum length of a known string. */
export const shortestForm = 8;
const gramLength = 4;
/** Every known string contains a whole gram that starts at a multiple of this. */
const stride = shortestForm - gramLength + 1;
/** Total characters of all known strings; about 40 MB. */
const maxNodes = 1_048_576;
const gramBits = 18;

const hashGram = (text: string, at: number): number =>
  (text.charCodeAt(at) ^
    (text.charCodeAt(at + 1) << 4) ^
    (text.charCodeAt(at + 2) << 8) ^
    (text.charCodeAt(at + 3) << 11)) &
  ((1 << gramBits) - 1);

export function createKnownForms(): KnownForms {
  const trie = new Trie();
  const grams = new Uint8Array(1 << gramBits);
  const names: string[] = [];
  return {
    add(form, name) {
      if (form.length < shortestForm || trie.size + form.length > maxNodes) return false;
      if (!trie.insert(form, names.length)) return true;
      names.push(name);
      for (let at = 0; at + gramLength <= form.length; at++) grams[hashGram(form, at)] = 1;
      return true;
    },
    find(text, found) {
      if (names.length === 0) return;
      const merged = new Merged();
      let done = 0;
      for (let at = 0; at + gramLength <= text.length;) {
        if (grams[hashGram(text, at)] === 1) {
          done = trie.follow(text, { from: Math.max(done, at + 1 - stride), to: at }, merged);
          at = Math.ceil(done / stride) * stride;
        } else at += stride;
      }
      for (const { start, end, name } of merged.places) found(start, end, names[name] ?? '');
    },
  };
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly length: number;
  readonly name: number;
}

/** Merges matches as they arrive, ordered by their ends. */
class Merged {
  readonly places: Place[] = [];

  add(end: number, length: number, name: number): void {
    let place: Place = { start: end - length, end, length, name };
    for (let last = this.places.at(-1); last !== undefined; last = this.places.at(-1)) {
      if (last.end <= place.start) break;
      const longer = last.length > place.length ? last : place;
      place = { ...longer, start: Math.min(last.start, place.start), end };
      this.places.pop();
    }
    this.places.push(place);
  }
}

function grown<T extends Int32Array | Uint16Array>(into: T, from: T): T {
  into.set(from);
  return into;
}

/** A trie in growable arrays; node 0 is the root. */
class Trie {
  size = 1;
  #parent = new Int32Array(1_024);
  #code = new Uint16Array(1_024);
  #depth = new Int32Array(1_024);
  /** Name of the string that ends here, or -1. */
  #name = new Int32Array(1_024).fill(-1);
  /** Longest proper suffix that is also a node; 0 until computed. */
  #fallback = new Int32Array(0);
  /** Longest known string that is a suffix of this node. */
  #ending = new Int32Array(0);
  /** Children, hashed by node and character. */
  #slots = new Int32Array(4_096);

  /** False if it is already there. */
  insert(text: string, name: number): boolean {
    let node = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      node = this.#childOf(node, code) || this.#grow(node, code);
    }
    if (this.#name[node] !== -1) return false;
    this.#name[node] = name;
    this.#fallback = new Int32Array(0);
    return true;
  }

  /** Reads on until past any string begun. Returns where it stopped. */
  follow(
    text: string,
    { from, to }: { readonly from: number; readonly to: number },
    found: Merged,
  ): number {
    if (this.#fallback.length === 0) this.#link();
    let node = 0;
    let at = from;
    while (at < text.length && (node !== 0 || at <= to)) {
      node = this.#step(node, text.charCodeAt(at));
      at += 1;
      const ending = this.#ending[node] ?? 0;
      if (ending !== 0) found.add(at, this.#depth[ending] ?? 0, this.#name[ending] ?? 0);
    }
    return at;
  }

  #step(from: number, code: number): number {
    for (let node = from; ; node = this.#fallback[node] ?? 0) {
      const child = this.#childOf(node, code);
      if (child !== 0 || node === 0) return child;
    }
  }

  /** Parents first, shorter before longer, so every fallback is computed before it is needed. */
  #link(): void {
    this.#fallback = new Int32Array(this.size);
    this.#ending = new Int32Array(this.size);
    const byDepth = Array.from({ length: this.size - 1 }, (_, index) => index + 1).toSorted(
      (a, b) => (this.#depth[a] ?? 0) - (this.#depth[b] ?? 0),
    );
    for (const node of byDepth) {
      const parent = this.#parent[node] ?? 0;
      const fallback =
        parent === 0 ? 0 : this.#step(this.#fallback[parent] ?? 0, this.#code[node] ?? 0);
      this.#fallback[node] = fallback;
      this.#ending[node] = this.#name[node] === -1 ? (this.#ending[fallback] ?? 0) : node;
    }
  }

  #slotOf(node: number, code: number): number {
    const mask = this.#slots.length - 1;
    let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(code, 0x85ebca6b)) & mask;
    for (;;) {
      const child = this.#slots[slot] ?? 0;
      if (child === 0 || (this.#parent[child] === node && this.#code[child] === code)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #childOf(node: number, code: number): number {
    return this.#slots[this.#slotOf(node, code)] ?? 0;
  }

  #grow(parent: number, code: number): number {
    const node = this.size;
    if (node === this.#parent.length) this.#double();
    this.#parent[node] = parent;
    this.#code[node] = code;
    this.#depth[node] = (this.#depth[parent] ?? 0) + 1;
    this.#slots[this.#slotOf(parent, code)] = node;
    this.size += 1;
    return node;
  }

  #double(): void {
    const length = this.#parent.length * 2;
    this.#parent = grown(new Int32Array(length), this.#parent);
    this.#code = grown(new Uint16Array(length), this.#code);
    this.#depth = grown(new Int32Array(length), this.#depth);
    this.#name = grown(new Int32Array(length).fill(-1), this.#name);
    this.#slots = new Int32Array(length * 4);
    for (let node = 1; node < this.size; node++)
      this.#slots[this.#slotOf(this.#parent[node] ?? 0, this.#code[node] ?? 0)] = node;
  }
}
