import { type Config, type ServerTls, ServerTls_ClientAuth } from '../../generated/tollgate/config/v1/config.ts';
import { parseAddress } from './address.ts';
import type { CheckContext } from './check-context.ts';
import type { Path } from './source.ts';

/** Listeners: at least one, addresses that can be listened on, certificates that are there. */
export function checkListeners({ source, files }: CheckContext, config: Config): void {
  if (config.listeners.length === 0) {
    source.complain(
      ['listeners'],
      'there is no listener',
      'listeners: [{ name: public, address: "127.0.0.1:7400", contracts: [...] }]',
    );
  }
  const taken = new Map<string, number>();
  config.listeners.forEach((listener, index) => {
    const at: Path = ['listeners', index];
    const address = checkAddress({ source, files }, [...at, 'address'], listener.address);
    if (address !== undefined && 'path' in address) {
      source.complain([...at, 'address'], 'a listener has a host and a port, not a path');
    }
    const other = taken.get(listener.address);
    if (other !== undefined && !listener.address.endsWith(':0') && listener.address !== '') {
      source.complain(
        [...at, 'address'],
        `"${listener.address}" is the address of listener "${config.listeners[other]?.name}" too`,
      );
    }
    taken.set(listener.address, other ?? index);
    if (listener.tls !== undefined) checkTls({ source, files }, listener.tls, [...at, 'tls']);
  });
}

function checkTls({ source, files }: CheckContext, tls: ServerTls, at: Path): void {
  files.check([...at, 'cert'], tls.cert);
  files.check([...at, 'key'], tls.key);
  files.check([...at, 'client_ca'], tls.clientCa);
  tls.certificates.forEach(({ cert, key }, index) => {
    files.check([...at, 'certificates', index, 'cert'], cert);
    files.check([...at, 'certificates', index, 'key'], key);
  });
  if (tls.clientAuth !== ServerTls_ClientAuth.CLIENT_AUTH_UNSPECIFIED && tls.clientCa === '') {
    source.complain(
      [...at, 'client_auth'],
      'client certificates cannot be verified',
      'name the authorities that issue them: "client_ca", a PEM file',
    );
  }
}

/** Parses an address; complains and gives undefined when it is none. */
export function checkAddress(
  { source }: CheckContext,
  path: Path,
  text: string,
): ReturnType<typeof parseAddress> | undefined {
  if (text === '') return undefined;
  try {
    return parseAddress(text);
  } catch (error) {
    source.complain(path, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}
