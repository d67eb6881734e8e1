/**
 * An echo backend on the bare engine: answers every request with its DATA and gRPC's trailers.
 * Usage: node bench/micro/echo.ts PORT
 */
import { argv } from 'node:process';
import { NameTable } from '../../src/http2/index.ts';
import { startEcho } from './echo-backend.ts';

const listener = await startEcho(new NameTable(), Number(argv[2] ?? '7601'));
console.log(`echo on ${listener.address.port}`);
