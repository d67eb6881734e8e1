import { readFileSync } from 'node:fs';

// For a process that is to say which sockets it holds. Node counts its handles in public, but names them only by means that it
// does not document: what is not there any more is missing in the answer, no more.

/** States of the kernel's table, `/proc/net/tcp` (include/net/tcp_states.h). */
const STATES: Readonly<Record<string, string>> = {
  '01': 'ESTABLISHED',
  '02': 'SYN_SENT',
  '04': 'FIN_WAIT1',
  '05': 'FIN_WAIT2',
  '08': 'CLOSE_WAIT',
  '09': 'LAST_ACK',
};
const ROW = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) ([0-9A-F]{8}):([0-9A-F]{8})/gm;

/** This process's TCP sockets, a line each: ports, what Node makes of it, what the kernel does. */
export function describeSockets(): string[] {
  const kernel = readKernel();
  return activeHandles().flatMap((handle) => {
    if (typeof handle !== 'object' || handle === null || !('readyState' in handle) || isPipe(handle)) return [];
    const of = (name: string) => String(Reflect.get(handle, name) ?? '?');
    const ports = `${of('localPort')}>${of('remotePort')}`;
    const flags = ['destroyed', 'connecting', 'readableEnded', 'writableEnded', 'encrypted'].filter(
      (name) => Reflect.get(handle, name) === true,
    );
    if (Reflect.get(handle, 'isPaused')?.call(handle) === true) flags.push('paused');
    const counts = `${of('bytesRead')} octets read, ${of('bytesWritten')} written, ${of('writableLength')} waiting`;
    return `${ports} ${[of('readyState'), ...flags].join(' ')}; ${counts}; ${kernel.get(ports) ?? 'not in the kernel'}`;
  });
}

function isPipe(socket: object): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null && handle.constructor.name === 'Pipe';
}

function activeHandles(): readonly unknown[] {
  const list: unknown = Reflect.get(process, '_getActiveHandles')?.call(process);
  return Array.isArray(list) ? list : [];
}

/** State and queues of all sockets of the machine, by their ports. */
function readKernel(): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const [, local, remote, state = '', unsent, unread] of read(file).matchAll(ROW)) {
      const queues = `${number(unsent)} octets unsent, ${number(unread)} unread`;
      all.set(`${number(local)}>${number(remote)}`, `${STATES[state] ?? state}, ${queues}`);
    }
  }
  return all;
}

function number(hex = '0'): number {
  return Number.parseInt(hex, 16);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // Not a Linux.
  }
}
