import { type Document, isAlias, isPair, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Complaint } from '../contracts/complaint.ts';

/** Where something stands in the configuration, by the names of the proto: `['listeners', 0, 'address']`. */
export type Path = readonly (string | number)[];

const keyOf = (path: Path): string => path.map(String).join('\u0000');

/**
 * The text of a configuration with the place of every value, and the complaints about it so far.
 *
 * What has been complained about is not complained about again: a value of the wrong type is not "missing" as well.
 */
export class ConfigSource {
  readonly file: string;
  readonly root: Node | undefined;
  readonly #document: Document;
  readonly #lines = new LineCounter();
  readonly #complaints: Complaint[] = [];
  /** Offsets by path. */
  readonly #offsets = new Map<string, number>();
  readonly #faulty = new Set<string>();

  constructor(text: string, file: string) {
    this.file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true });
    this.root = this.#document.contents ?? undefined;
    this.#complainOfSyntax();
  }

  /** Of what is not YAML only the first: the others follow from it. */
  #complainOfSyntax(): void {
    const errors = this.#document.errors.toSorted((a, b) => a.pos[0] - b.pos[0]);
    const first = errors.find((error) => error.code !== 'DUPLICATE_KEY');
    const told =
      first === undefined ? errors : errors.filter((error) => error === first || error.pos[0] < first.pos[0]);
    for (const { code, message, pos } of told) this.complainAtOffset(pos[0], yamlMessage(code, message));
  }

  /** In the order of the file. */
  get complaints(): Complaint[] {
    return this.#complaints.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  }

  /** Remembers where a value stands. */
  place(path: Path, node: Node | Pair | undefined): void {
    const offset = offsetOf(node);
    if (offset !== undefined) this.#offsets.set(keyOf(path), offset);
  }

  /** True when the file says something there. */
  has(path: Path): boolean {
    return this.#offsets.has(keyOf(path));
  }

  /** The node that an alias (`*name`) stands for. */
  follow(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  /** True when the value or something around it has been complained about. */
  isFaulty(path: Path): boolean {
    for (let length = 0; length <= path.length; length++) {
      if (this.#faulty.has(keyOf(path.slice(0, length)))) return true;
    }
    return false;
  }

  /** Keeps later checks from complaining about a path. */
  markFaulty(path: Path): void {
    this.#faulty.add(keyOf(path));
  }

  /** Complains about a value, or about its absence from the nearest thing around it that is there. Once per path. */
  complain(path: Path, message: string, hint?: string): void {
    if (this.isFaulty(path)) return;
    this.markFaulty(path);
    this.complainAtOffset(this.#offsetNear(path), message, hint);
  }

  /** Passes on a complaint that has a place in another file. */
  add(complaint: Complaint): void {
    this.#complaints.push(complaint);
  }

  complainAtOffset(offset: number, message: string, hint?: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#complaints.push({ file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), message, hint });
  }

  /** The place of a value for a remark that is no fault. */
  locate(path: Path): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(this.#offsetNear(path));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #offsetNear(path: Path): number {
    for (let length = path.length; length >= 0; length--) {
      const offset = this.#offsets.get(keyOf(path.slice(0, length)));
      if (offset !== undefined) return offset;
    }
    return 0;
  }
}

/** Where a node, or a pair (at its key), begins. */
export function offsetOf(node: unknown): number | undefined {
  const target = isPair(node) ? node.key : node;
  if (typeof target !== 'object' || target === null || !('range' in target)) return undefined;
  const range: unknown = target.range;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined;
}

/** The parser's words, where ours are clearer. */
function yamlMessage(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'the key is there twice';
  if (code === 'TAB_AS_INDENT') return 'YAML is indented with blanks, not with tabs';
  if (/^Flow (sequence|map)/.test(message)) return 'not YAML: a "[" or "{" is not closed';
  return `not YAML: ${message}`;
}
