import { pathToFileURL } from 'node:url';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { Catalogue, CLASSICS } from './catalogue.ts';
import {
  type AddBooksRequest,
  type AddBooksResponse,
  type Book,
  type BookstoreServiceServer,
  BookstoreServiceService,
  type GetBookRequest,
  type GetBookResponse,
  type ListBooksRequest,
  type ListBooksResponse,
  type RecommendRequest,
  type RecommendResponse,
} from './generated/bookstore/v1/bookstore.ts';

// The example backend. It knows nothing of the gateway in front of it: no keys, no limits, no quotas. It trusts the
// gateway for all that, which is why it listens on the loopback interface alone.

const CAPACITY = 10_000;
const MAX_BOOKS_PER_CALL = 1_000;

/** A bookstore that answers. */
export interface RunningBookstore {
  readonly port: number;
  /** Lets running calls end, for at most a second, then stops. */
  stop(): Promise<void>;
}

/**
 * Starts the bookstore with the classics on its shelves.
 * @param at where to listen; port 0 takes a free one
 * @throws when the address cannot be bound
 */
export async function startBookstore(at: { host: string; port: number }): Promise<RunningBookstore> {
  const server = new Server();
  server.addService(BookstoreServiceService, bookstore(new Catalogue(CLASSICS, CAPACITY)));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${at.host}:${at.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, stop: () => stopServer(server) };
}

/** The service over a catalogue. */
function bookstore(catalogue: Catalogue): BookstoreServiceServer {
  return {
    getBook: (call, callback) => getBook(catalogue, call, callback),
    listBooks: (call) => listBooks(catalogue, call),
    addBooks: (call, callback) => addBooks(catalogue, call, callback),
    recommend: (call) => recommend(catalogue, call),
  };
}

function getBook(
  catalogue: Catalogue,
  call: ServerUnaryCall<GetBookRequest, GetBookResponse>,
  callback: sendUnaryData<GetBookResponse>,
): void {
  const book = catalogue.get(call.request.isbn);
  if (book) callback(null, { book });
  else callback({ code: status.NOT_FOUND, details: `no book with ISBN ${JSON.stringify(call.request.isbn)}` });
}

function listBooks(catalogue: Catalogue, call: ServerWritableStream<ListBooksRequest, ListBooksResponse>): void {
  const books = catalogue.find(call.request.author, call.request.genre);
  let next = 0;
  // Writes as fast as the reader reads: after `false` comes `drain`.
  const write = (): void => {
    for (let book = books[next]; book; book = books[next]) {
      next++;
      if (!call.write({ book })) {
        call.once('drain', write);
        return;
      }
    }
    call.end();
  };
  write();
}

function addBooks(
  catalogue: Catalogue,
  call: ServerReadableStream<AddBooksRequest, AddBooksResponse>,
  callback: sendUnaryData<AddBooksResponse>,
): void {
  const books: Book[] = [];
  let complaint: string | undefined;
  call.on('data', ({ book }: AddBooksRequest) => {
    if (!book?.isbn || !book.title) complaint ??= 'a book needs an ISBN and a title';
    else if (books.length === MAX_BOOKS_PER_CALL) complaint ??= `at most ${MAX_BOOKS_PER_CALL} books a call`;
    else books.push(book);
  });
  call.on('error', () => {}); // The caller went away: nothing was added.
  call.on('end', () => {
    if (complaint) return callback({ code: status.INVALID_ARGUMENT, details: complaint });
    if (books.length > catalogue.room) return callback({ code: status.FAILED_PRECONDITION, details: 'shelves full' });
    for (const book of books) catalogue.add(book);
    callback(null, {
      added: books.length,
      total: catalogue.size,
      valueCents: books.reduce((sum, book) => sum + book.priceCents, 0),
    });
  });
}

function recommend(catalogue: Catalogue, call: ServerDuplexStream<RecommendRequest, RecommendResponse>): void {
  const mentioned = new Set<string>();
  call.on('data', ({ likedIsbn }: RecommendRequest) => {
    const taken = call.write(answer(catalogue, likedIsbn, mentioned));
    if (taken) return;
    // The reader asks faster than it listens: no more questions until it caught up.
    call.pause();
    call.once('drain', () => call.resume());
  });
  call.on('error', () => {}); // The caller went away.
  call.on('end', () => call.end());
}

/** The bookseller's answer; `mentioned` keeps it from naming a book twice. */
function answer(catalogue: Catalogue, likedIsbn: string, mentioned: Set<string>): RecommendResponse {
  const liked = catalogue.get(likedIsbn);
  if (!liked) return { book: undefined, reason: 'I do not know that book' };
  mentioned.add(likedIsbn);
  const found = catalogue.companion(liked, mentioned);
  if (!found) return { book: undefined, reason: `nothing goes with ${liked.title}` };
  mentioned.add(found.book.isbn);
  return found;
}

function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), 1_000);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}

// Run by itself: node examples/bookstore/server.ts [port]
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { port, stop } = await startBookstore({ host: '127.0.0.1', port: Number(process.argv[2] ?? 7500) });
  console.log(`bookstore on 127.0.0.1:${port}`);
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
}
