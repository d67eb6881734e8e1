import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Client, type HeaderBlock, Listener, NameTable, type Stream } from '../../src/http2/index.ts';
import { block, Recorder, request } from './support.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const OK = block({ ':status': '200' });

it('a connection that is closed keeps none of its header blocks, whoever still has a stream of it', async () => {
  const names = new NameTable();
  const streams: Stream[] = [];
  const blocks: WeakRef<HeaderBlock>[] = [];
  const listener = await Listener.listen({
    names,
    onRequest: (stream, headers) => {
      streams.push(stream);
      blocks.push(new WeakRef(headers));
      stream.sendHeaders(OK, undefined, true);
      return new Recorder();
    },
  });
  const client = new Client({ names, target: listener.address });
  for (let calls = 0; calls < 3; calls++) {
    const answered = new Recorder();
    client.request(answered, request('/a'), undefined, true);
    await answered.done;
  }
  // The same octets are the same block: the connection remembers it.
  expect(blocks[2]?.deref()).toBe(blocks[1]?.deref());
  await client.close();
  await listener.close(1_000);
  await setImmediate();
  collect();
  expect(streams).toHaveLength(3);
  expect(blocks.map((each) => each.deref())).toEqual([undefined, undefined, undefined]);
});
