import { credentials, Metadata } from '@grpc/grpc-js';
import { getBook } from './calls.ts';
import { BookstoreServiceClient } from './generated/bookstore/v1/bookstore.ts';

/**
 * One call through the gateway, with the generated stub: what `npm start` shows when it is up.
 *
 * @param at where the gateway listens, and a key of the demo tenant
 * @returns a line for people. Rejects with a ServiceError.
 */
export async function firstCall(at: { address: string; key: string }): Promise<string> {
  const client = new BookstoreServiceClient(at.address, credentials.createInsecure());
  try {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${at.key}`);
    const book = await getBook({ client, metadata }, '9780141439518');
    return `GetBook as tenant demo: ${book?.title}, ${book?.author}, ${book?.year}`;
  } finally {
    client.close();
  }
}
