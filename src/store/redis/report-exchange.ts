import type { RedisConnection } from './connect.ts';

/** Who else is asked. */
export interface LiveGateway {
  readonly id: string;
  readonly address: string;
}

/** Milliseconds for the others to answer. */
const PATIENCE_MS = 1_000;
const LOOK_EVERY_MS = 15;
/** Milliseconds after which answers are gone that nobody has fetched. */
const ANSWERS_LIVE_MS = 5_000;
/** Questions of this gateway that are under way at once. */
const MAX_QUESTIONS = 8;
/** Octets of an answer. More is not given: the asker says who did not answer. */
const MAX_ANSWER = 8 * 1024 * 1024;

/** What gives an answer, under the id of the question; undefined when the question is for somebody else. */
export type Answerer = (question: Uint8Array) => { readonly id: string; readonly answer: Uint8Array } | undefined;

/**
 * How gateways that share a Redis ask each other what they have counted: the question goes over a channel, the answers into a
 * list that lives some seconds. Who is away, or slow, is left out.
 */
export class ReportExchange {
  readonly #connection: RedisConnection;
  readonly #subscriber: RedisConnection;
  readonly #gateways: () => readonly LiveGateway[];
  readonly #channel: string;
  #questions = 0;

  /** @param gateways those that are alive, this one among them, as they were last known */
  constructor(connection: RedisConnection, gateways: () => readonly LiveGateway[]) {
    this.#connection = connection;
    this.#gateways = gateways;
    this.#channel = connection.key('metrics');
    this.#subscriber = connection.subscriber();
    const { client } = this.#subscriber;
    // What was asked while there was no connection was not heard: the asker will ask again.
    client.on('ready', () => {
      client.subscribe(this.#channel).catch(() => undefined);
    });
  }

  get gateways(): readonly LiveGateway[] {
    return this.#gateways();
  }

  /** Calls back on each question, this gateway's own among them. */
  onQuestion(answerer: Answerer): void {
    this.#subscriber.client.on('messageBuffer', (_channel: Buffer, question: Buffer) => {
      void this.#answer(question, answerer);
    });
  }

  /** Asks all others. @param id of the question @param count answers to wait for @returns those that came in time */
  async ask(id: string, question: Uint8Array, count: number): Promise<Uint8Array[]> {
    if (count === 0 || this.#questions >= MAX_QUESTIONS) return [];
    this.#questions++;
    try {
      const { client } = this.#connection;
      const answers = this.#answersOf(id);
      await client.publish(this.#channel, Buffer.from(question));
      const until = performance.now() + PATIENCE_MS;
      while ((await client.llen(answers)) < count && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
      const found = await client.lrangeBuffer(answers, 0, -1);
      await client.del(answers);
      return found;
    } catch {
      // Redis is away: nobody can be asked.
      return [];
    } finally {
      this.#questions--;
    }
  }

  close(): void {
    this.#subscriber.close();
  }

  async #answer(question: Buffer, answerer: Answerer): Promise<void> {
    try {
      const found = answerer(question);
      if (found === undefined || found.answer.length > MAX_ANSWER) return;
      const answers = this.#answersOf(found.id);
      const { client } = this.#connection;
      await Promise.all([client.rpush(answers, Buffer.from(found.answer)), client.pexpire(answers, ANSWERS_LIVE_MS)]);
    } catch {
      // A question that cannot be read, or Redis is away: the asker says who did not answer.
    }
  }

  #answersOf(id: string): string {
    return this.#connection.key(`{metrics:${id}}:answers`);
  }
}
