import { setFlagsFromString } from 'node:v8';

const FLAG = '--max-inlined-bytecode-size-cumulative';
/** Octets of bytecode of other functions that V8 compiles into one at most, and what it has for that by default. */
const OURS = 5000;
const DEFAULT = 920;
/** The operator's own word. */
const ANY = /--max[-_]inlined[-_]bytecode[-_]size[-_]cumulative/;

/**
 * Lets V8 compile more of what a call goes through into one function. A call is some hundred short functions one inside the other, and
 * with the default most of them stay calls of their own: up to 8 % of the CPU of a request (docs/adr/0024).
 */
export class Inlining {
  readonly #isOurs: boolean;

  /** @param flags of Node: what they say holds */
  constructor(flags: readonly string[]) {
    this.#isOurs = !flags.some((each) => ANY.test(each));
    this.#set(OURS);
  }

  /** It is V8's own again. */
  release(): void {
    this.#set(DEFAULT);
  }

  #set(octets: number): void {
    if (this.#isOurs) setFlagsFromString(`${FLAG}=${octets}`);
  }
}
