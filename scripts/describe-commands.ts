import type { Argument, Command, Option } from 'commander';

/** Options that many commands have are told once: their groups have sections of their own. */
const SHARED: ReadonlySet<string> = new Set(['Which gateway, and with which key:', 'The change:']);

/** The commands of a program with their options, as Markdown: what docs/cli.md has between its marks. */
export function describeCommands(program: Command): string {
  const leaves = [...leavesOf(program, '')];
  const shared = new Map<string, Map<string, Option>>();
  for (const { command } of leaves) {
    for (const option of command.options) {
      const group = option.helpGroupHeading ?? '';
      if (!SHARED.has(group)) continue;
      shared.set(group, (shared.get(group) ?? new Map()).set(option.flags, option));
    }
  }
  const groups = [...shared].map(([heading, options]) => describeGroup(heading, [...options.values()]));
  return [...groups, ...leaves.map(describeLeaf)].join('\n');
}

interface Leaf {
  /** `tollgate tenants get` */
  readonly name: string;
  readonly command: Command;
}

function* leavesOf(command: Command, before: string): Iterable<Leaf> {
  const name = `${before}${command.name()}`;
  if (command.commands.length === 0) yield { name, command };
  for (const each of command.commands) yield* leavesOf(each, `${name} `);
}

function describeGroup(heading: string, options: readonly Option[]): string {
  return `### ${heading.replace(':', '')}\n\n${tableOf(options)}`;
}

function describeLeaf({ name, command }: Leaf): string {
  const args = command.registeredArguments.map(argumentOf).join('');
  const visible = command.options.filter((option) => !option.hidden);
  const own = visible.filter((option) => !SHARED.has(option.helpGroupHeading ?? ''));
  const groups = [...SHARED].filter((group) => visible.some((option) => option.helpGroupHeading === group));
  const too = groups.map((group) => `[${group.replace(':', '')}](#${anchorOf(group)})`).join('; ');
  const table = own.length === 0 ? '' : `\n${tableOf(own)}`;
  return `### \`${name}${args}\`\n\n${sentence(command.description())}${too === '' ? '' : ` Also: ${too}.`}\n${table}`;
}

function argumentOf(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? ` <${name}>` : ` [${name}]`;
}

function tableOf(options: readonly Option[]): string {
  const rows = options.map((option) => {
    const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
    const usual = option.defaultValue === undefined ? '' : `; default \`${String(option.defaultValue)}\``;
    const needed = option.mandatory ? '; **needed**' : '';
    return `| \`${option.flags}\` | ${cell(`${option.description}${choices}`)}${usual}${needed} |\n`;
  });
  return `| option | meaning |\n|---|---|\n${rows.join('')}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** As GitHub makes them of headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}
