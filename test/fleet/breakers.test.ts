import { afterAll, beforeAll } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { editBreakers, testBreakers } from './breakers.ts';

let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start({ gateways: 4, edit: editBreakers });
}, 60_000);
afterAll(() => fleet.dispose());

testBreakers(() => fleet);
