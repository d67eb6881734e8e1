import type { Metadata } from '@grpc/grpc-js';
import type {
  AddBooksResponse,
  Book,
  BookstoreServiceClient,
  ListBooksRequest,
  RecommendResponse,
} from './generated/bookstore/v1/bookstore.ts';

// The four call kinds of the generated client as promises. Each rejects with a ServiceError.

export interface Shop {
  readonly client: BookstoreServiceClient;
  /** Sent with every call: the key. */
  readonly metadata: Metadata;
}

const DEADLINE_MS = 10_000;
const options = (): { deadline: number } => ({ deadline: Date.now() + DEADLINE_MS });

/** Unary. */
export function getBook({ client, metadata }: Shop, isbn: string): Promise<Book | undefined> {
  return new Promise((resolve, reject) => {
    client.getBook({ isbn }, metadata, options(), (error, response) =>
      error ? reject(error) : resolve(response.book),
    );
  });
}

/** Server streaming. */
export async function listBooks({ client, metadata }: Shop, request: ListBooksRequest): Promise<Book[]> {
  const books: Book[] = [];
  for await (const { book } of client.listBooks(request, metadata, options())) books.push(book);
  return books;
}

/** Client streaming. */
export function addBooks({ client, metadata }: Shop, books: readonly Book[]): Promise<AddBooksResponse> {
  return new Promise((resolve, reject) => {
    const call = client.addBooks(metadata, options(), (error, response) => (error ? reject(error) : resolve(response)));
    for (const book of books) call.write({ book });
    call.end();
  });
}

/** Bidirectional streaming: a question is asked when the answer to the one before is there. */
export async function recommend(
  { client, metadata }: Shop,
  likedIsbns: readonly string[],
): Promise<RecommendResponse[]> {
  const answers: RecommendResponse[] = [];
  const call = client.recommend(metadata, options());
  const questions = likedIsbns.values();
  const ask = (): void => {
    const { value, done } = questions.next();
    if (done) call.end();
    else call.write({ likedIsbn: value });
  };
  ask();
  for await (const answer of call) {
    answers.push(answer);
    ask();
  }
  return answers;
}
