import { Script } from 'node:vm';

/** V8 forgets a rate of allocation in about 110 s. */
const OFTEN_ENOUGH_MS = 60_000;

/**
 * Lets V8 give memory back when there is little to do. It has a part for that, the memory reducer, which collects in small steps
 * once little is allocated: the heap that 10,000 connections leave shrinks by half. But V8 13 and 14 (Node 24 to 26) take it for
 * very much when nothing at all was ever allocated on the heap of their C++ objects, which is so in a program that has none, and
 * wait for as long as it runs. The only such object that JavaScript can make is a script; one a minute is enough.
 * @returns stops it
 */
export function wakeMemoryReducer(): () => void {
  const allocate = () => void new Script('');
  allocate();
  const timer = setInterval(allocate, OFTEN_ENOUGH_MS).unref();
  return () => clearInterval(timer);
}
