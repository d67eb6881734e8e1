import { readFileSync } from 'node:fs';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { addBooks, getBook, listBooks, recommend, type Shop } from './calls.ts';
import { describeError, errorDetails, retryDelayMs } from './error-details.ts';
import { BookstoreServiceClient, Genre } from './generated/bookstore/v1/bookstore.ts';

// npm run example: calls of all four kinds through the gateway, then into the rate limit and the quota.
// Environment: TOLLGATE_ADDRESS (default 127.0.0.1:7400), and the demo tenants' keys: TOLLGATE_DEMO_KEY and
// TOLLGATE_DEMO_SMALL_KEY, or TOLLGATE_DATA/demo.key and demo-small.key (default ./data) as `npm start` writes them.

const PRIDE_AND_PREJUDICE = '9780141439518';
const THE_TIME_MACHINE = '9780141439976';

const address = process.env.TOLLGATE_ADDRESS ?? '127.0.0.1:7400';

/** A key from the environment, else from the file that `npm start` wrote. */
function readKey(name: 'demo' | 'demo-small'): string {
  const variable = `TOLLGATE_${name.toUpperCase().replace('-', '_')}_KEY`;
  const path = `${process.env.TOLLGATE_DATA ?? './data'}/${name}.key`;
  try {
    return process.env[variable] ?? readFileSync(path, 'utf8').trim();
  } catch {
    console.error(
      `No key: ${path} is not there and ${variable} is not set. Run \`npm start\` in another terminal first.`,
    );
    process.exit(1);
  }
}

function connect(key: string): Shop {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${key}`);
  return { client: new BookstoreServiceClient(address, credentials.createInsecure()), metadata };
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'metadata' in error;

/** The error of a call that fails; throws what is no gRPC error. */
async function failureOf(call: Promise<unknown>): Promise<ServiceError | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (isServiceError(error)) return error;
    throw error;
  }
}

/** What a good client does: when told to wait, it waits as long as it was told, and tries once more. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const delay = isServiceError(error) ? retryDelayMs(error) : undefined;
    if (delay === undefined) throw error;
    console.log(`    (told to wait ${Math.ceil(delay)} ms: a run shortly before this one used the limit up)`);
    await new Promise((resolve) => setTimeout(resolve, delay));
    return call();
  }
}

async function fourCallKinds(shop: Shop): Promise<void> {
  console.log('1. unary: GetBook');
  const book = await getBook(shop, PRIDE_AND_PREJUDICE);
  console.log(`    ${book?.title}, ${book?.author}, ${book?.year}`);

  console.log('2. server streaming: ListBooks');
  for (const each of await listBooks(shop, { author: '', genre: Genre.GENRE_SCIENCE_FICTION })) {
    console.log(`    ${each.title}, ${each.author}, ${each.year}`);
  }

  console.log('3. client streaming: AddBooks (needs the scope books.write, costs 5 units)');
  const gothic = { genre: Genre.GENRE_GOTHIC, priceCents: 599 };
  const sum = await addBooks(shop, [
    { isbn: '9780199537211', title: 'The Castle of Otranto', author: 'Horace Walpole', year: 1764, ...gothic },
    { isbn: '9780199535682', title: 'The Monk', author: 'Matthew Lewis', year: 1796, ...gothic },
  ]);
  console.log(`    added ${sum.added}, now ${sum.total} in the catalogue`);

  console.log('4. bidirectional streaming: Recommend (draws on the limit "recommend")');
  for (const { book, reason } of await patiently(() => recommend(shop, [PRIDE_AND_PREJUDICE, THE_TIME_MACHINE]))) {
    console.log(`    ${book?.title ?? 'nothing'}: ${reason}`);
  }
}

async function applicationError(shop: Shop): Promise<void> {
  console.log("5. the backend's own error passes as it is: GetBook of a book that is not there");
  const error = await failureOf(getBook(shop, '9780000000000'));
  if (error) console.log(`    ${describeError(error).join('\n    ')}`);
}

async function rateLimit(shop: Shop): Promise<void> {
  console.log('6. the rate limit: 15 x Recommend at once');
  const outcomes = await Promise.all(Array.from({ length: 15 }, () => failureOf(recommend(shop, [THE_TIME_MACHINE]))));
  const refused = outcomes.filter((error) => error !== undefined);
  console.log(`    ${outcomes.length - refused.length} admitted, ${refused.length} refused; the first refusal:`);
  if (refused[0]) console.log(`    ${describeError(refused[0]).join('\n    ')}`);
}

async function quota(shop: Shop): Promise<void> {
  console.log('7. the quota: GetBook as tenant demo-small until its units of the day are used up');
  for (let admitted = 0; admitted < 1_000; admitted++) {
    const error = await failureOf(getBook(shop, PRIDE_AND_PREJUDICE));
    if (!error) continue;
    if (errorDetails(error).errorInfo?.reason !== 'QUOTA_EXHAUSTED') throw error;
    console.log(
      `    ${admitted} admitted${admitted === 0 ? ' (an earlier run used the units up)' : ''}, then refused:`,
    );
    console.log(`    ${describeError(error).join('\n    ')}`);
    return;
  }
  throw new Error('1000 calls were admitted: has the plan of demo-small no quota?');
}

const demo = connect(readKey('demo'));
const small = connect(readKey('demo-small'));
try {
  await fourCallKinds(demo);
  await applicationError(demo);
  await rateLimit(demo);
  await quota(small);
} catch (error) {
  if (!isServiceError(error)) throw error;
  console.error(`    failed: ${describeError(error).join('\n    ')}`);
  if (error.code === status.UNAVAILABLE)
    console.error(`Is the gateway running on ${address}? \`npm start\` starts it.`);
  if (error.code === status.UNAUTHENTICATED) console.error('Is the key from this gateway? `npm start` writes it anew.');
  process.exitCode = 1;
} finally {
  demo.client.close();
  small.client.close();
}
