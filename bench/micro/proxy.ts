/**
 * A pass-through proxy of the bare engine, for measuring: what is here costs a call nothing but the engine.
 * Usage: node bench/micro/proxy.ts LISTEN_PORT TARGET_PORT
 */
import { argv } from 'node:process';
import { NameTable } from '../../src/http2/index.ts';
import { startProxy } from './pass-through.ts';

const [port = '7600', target = '7601'] = argv.slice(2);
const proxy = await startProxy({
  names: new NameTable(),
  port: Number(port),
  target: { host: '127.0.0.1', port: Number(target) },
});
console.log(`proxy on ${proxy.port}`);
