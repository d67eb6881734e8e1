import { dirname } from 'node:path';
import type { DemoKeys } from './demo-keys.ts';

interface Running {
  readonly addresses: ReadonlyMap<string, { readonly host: string; readonly port: number }>;
  /** Undefined when it was printed at an earlier start. */
  readonly adminKey: string | undefined;
  readonly backendPort: number;
  readonly demo: DemoKeys;
  /** The data lies where `npm run example` looks for it. */
  readonly isDefaultData: boolean;
}

const METHOD = 'bookstore.v1.BookstoreService/GetBook';
const REQUEST = `'{"isbn": "9780141439518"}'`;

/** What `npm start` prints when the gateway answers: the key, and commands that work as they stand. */
export function describeTour(running: Running): string {
  const address = addressOf(running, 'public');
  const admin = addressOf(running, 'admin');
  const adminOption = admin === '127.0.0.1:7401' ? '' : ` --address ${admin}`;
  const example =
    address === '127.0.0.1:7400' && running.isDefaultData
      ? ''
      : `TOLLGATE_ADDRESS=${address} TOLLGATE_DATA=${dirname(running.demo.path)} `;
  return `
The gateway is on ${address}; behind it an example backend on 127.0.0.1:${running.backendPort}.
The demo tenant's key is kept in ${running.demo.path}, for this demo only. In another terminal, in this folder:

  export KEY=${running.demo.key}

  npx buf curl --protocol grpc --http2-prior-knowledge -H "authorization: Bearer $KEY" --reflect-header '*' \\
    -d ${REQUEST} http://${address}/${METHOD}

  grpcurl -plaintext -H "authorization: Bearer $KEY" -d ${REQUEST} ${address} ${METHOD}

  ${example}npm run example   # all four call kinds, then into the rate limit and the quota

The admin services are on ${admin}:

  ${describeAdminKey(running.adminKey)}
  npx node src/cli/main.ts tenants list${adminOption}
  npx node src/cli/main.ts metrics${adminOption}

Ctrl-C stops it.
`;
}

function describeAdminKey(minted: string | undefined): string {
  if (minted !== undefined) return `export TOLLGATE_ADMIN_KEY=${minted}   # shown this once: keep it`;
  return '# TOLLGATE_ADMIN_KEY: as printed at the first start, or as you set it';
}

function addressOf({ addresses }: Running, listener: string): string {
  const found = addresses.get(listener);
  return found ? `${found.host}:${found.port}` : `(no listener ${listener})`;
}
