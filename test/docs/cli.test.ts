import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeCommands } from '../../scripts/describe-commands.ts';
import { ExitCode } from '../../src/cli/exit-codes.ts';
import { createProgram } from '../../src/cli/program.ts';
import { createFakeIo, runCli } from '../cli/fake-io.ts';

const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
const program = () => createProgram(createFakeIo());

test('docs/cli.md has every command with every option, as the program has them (else: npm run docs)', () => {
  const [, written] = /<!-- commands -->\n([\s\S]*)<!-- \/commands -->/.exec(text) ?? [];
  expect(written).toBe(describeCommands(program()));
});

test('docs/cli.md has every exit code', () => {
  const codes = [...text.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(ExitCode));
});

test('every option that the examples of docs/cli.md and of --help use is there', async () => {
  const lines = text.split('\n').filter((line) => /^(KEY=\$\()?tollgate /.test(line));
  const helps = await Promise.all([...names(program())].map((name) => runCli([...name, '--help'])));
  for (const { out } of helps) {
    const examples = out.split('\n').filter((line) => /^ {2}tollgate /.test(line));
    // An example for each: src/cli/examples.ts, where the command has none of its own.
    expect(examples, out).not.toEqual([]);
    lines.push(...examples);
  }
  for (const line of lines) {
    const words = line
      .trim()
      .replace(/^KEY=\$\(/, '')
      .split(/\s+/)
      .slice(1);
    let command = program();
    for (const word of words) command = command.commands.find((each) => each.name() === word) ?? command;
    const flags = words.filter((word) => /^--?[a-z]/.test(word)).map((flag) => flag.replace(/\)$/, ''));
    const known = command.options.flatMap(({ short, long }) => [short, long]);
    expect([line, flags.filter((flag) => !known.includes(flag))]).toEqual([line, []]);
  }
});

/** Of all commands that do something. */
function* names(command: ReturnType<typeof program>, before: readonly string[] = []): Iterable<readonly string[]> {
  for (const each of command.commands) {
    const name = [...before, each.name()];
    if (each.commands.length === 0) yield name;
    yield* names(each, name);
  }
}
