import { readFileSync, writeFileSync } from 'node:fs';
import type { Io } from '../src/cli/io.ts';
import { createProgram } from '../src/cli/program.ts';
import { describeCommands } from './describe-commands.ts';

// `npm run docs`: writes the commands and their options into docs/cli.md, from the program itself.

const PATH = new URL('../docs/cli.md', import.meta.url);
const MARKS = /(<!-- commands -->\n)[\s\S]*(<!-- \/commands -->)/;

/** No command runs: nothing of the outside is asked for. */
const NOTHING: Io = {
  stdout: { write: () => {} },
  stderr: { write: () => {} },
  colours: false,
  ask: undefined,
  readInput: async () => '',
  env: {},
  cwd: '/',
  now: () => 0,
  onStopSignal: () => () => {},
  onReloadSignal: () => () => {},
  memory: { rss: () => 0, constrained: () => 0 },
  terminal: undefined,
  exit: () => {},
};

const text = readFileSync(PATH, 'utf8');
const commands = describeCommands(createProgram(NOTHING));
writeFileSync(
  PATH,
  text.replace(MARKS, (_, open: string, close: string) => `${open}${commands}${close}`),
);
