import { type Command, Option } from 'commander';
import {
  ExplainDecisionResponse as Decision,
  ExplainDecisionRequest,
  ExplainDecisionResponse_Outcome as Outcome,
  type ExplainDecisionResponse_Rule as Rule,
  DecisionServiceService as service,
} from '../../generated/tollgate/admin/v1/decision.ts';
import { type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { ExitCode } from './exit-codes.ts';
import { CliError, type Io } from './io.ts';
import { parseList } from './parse-values.ts';
import { printJson } from './print.ts';
import { readVariable } from './secret-source.ts';
import { formatFields, formatTable } from './table.ts';
import { jsonOf } from './to-json.ts';

const toJson = jsonOf('tollgate.admin.v1.ExplainDecisionResponse', Decision);
const GROUP = 'The call:';

interface ExplainOptions extends AdminOptions {
  readonly tenant?: string;
  readonly scope?: string[];
  readonly apiKey?: string;
  readonly credentialFromEnv?: string;
  readonly certificateUri?: string[];
  readonly certificateDns?: string[];
  readonly header?: ReadonlyMap<string, string>;
  readonly listener?: string;
}

export function addExplainCommand(program: Command, io: Io): void {
  const explain = program
    .command('explain <method>')
    .description('what would become of a call now, rule by rule, and why; spends nothing');
  const option = (flags: string, text: string) => new Option(flags, text).helpGroup(GROUP);
  addAdminOptions(explain)
    .addOption(option('--tenant <id>', 'made with any valid credential of this tenant').conflicts(['apiKey']))
    .addOption(option('--scope <scopes>', 'with --tenant: the scopes that it has').argParser(parseList))
    .addOption(option('--api-key <id>', 'made with the key that has this id, as it is'))
    .addOption(
      option('--credential-from-env <name>', 'made with the credential in this variable').conflicts([
        'tenant',
        'apiKey',
      ]),
    )
    .addOption(
      option('--certificate-uri <uri>', 'made with a client certificate that has this URI, such as spiffe://...')
        .conflicts(['tenant', 'apiKey'])
        .argParser(parseList),
    )
    .addOption(
      option('--certificate-dns <name>', 'likewise, with this DNS name')
        .conflicts(['tenant', 'apiKey'])
        .argParser(parseList),
    )
    .addOption(option('-H, --header <name:value>', 'metadata of the call; may be repeated').argParser(parseHeader))
    .addOption(option('--listener <name>', 'made through this listener; any that shows the method, when not given'))
    .action(async (method: string, options: ExplainOptions) => {
      requireCaller(explain, options);
      const request = await toRequest(method, options, io);
      return withAdminClient(options, io, async (client) => {
        const decision = await client.call(service.explainDecision, request);
        if (options.output === 'json') printJson(io, toJson(decision));
        else io.stdout.write(format(decision));
      });
    });
}

/** Whoever asks for nobody has most likely forgotten to say for whom. */
function requireCaller(command: Command, options: ExplainOptions): void {
  const { tenant, apiKey, credentialFromEnv, header, scope, certificateUri, certificateDns } = options;
  if (scope !== undefined && tenant === undefined) command.error('error: --scope goes with --tenant alone');
  if (header?.has('authorization') && credentialFromEnv !== undefined) {
    command.error('error: --credential-from-env is sent as authorization: leave out that header, or the option');
  }
  if (tenant ?? apiKey ?? credentialFromEnv ?? header ?? certificateUri ?? certificateDns) return;
  command.error('error: who calls? Give --tenant ID, --api-key ID or --credential-from-env NAME (see --help)');
}

async function toRequest(method: string, options: ExplainOptions, io: Io): Promise<ExplainDecisionRequest> {
  const { tenant, scope = [], apiKey, credentialFromEnv, header, listener = '' } = options;
  const { certificateUri: uris, certificateDns: dnsNames } = options;
  const metadata = Object.fromEntries(header ?? []);
  if (credentialFromEnv !== undefined) {
    metadata.authorization = `Bearer ${readVariable(credentialFromEnv, io, '--credential-from-env')}`;
  }
  return ExplainDecisionRequest.fromPartial({
    // As logs and traces write it.
    method: method.replace(/^\//, ''),
    ...(tenant === undefined ? {} : { caller: { $case: 'tenantId', tenantId: tenant } }),
    ...(apiKey === undefined ? {} : { caller: { $case: 'apiKeyId', apiKeyId: apiKey } }),
    ...(uris === undefined && dnsNames === undefined
      ? {}
      : { clientCertificate: { uris: uris ?? [], dnsNames: dnsNames ?? [] } }),
    scopes: scope,
    metadata,
    listener,
  });
}

/**
 * For commander: what came before is kept. What is wrong is not repeated, it may be a credential; commander's own error would.
 * @throws CliError
 */
function parseHeader(text: string, before: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const [, name, value = ''] = /^([0-9a-z_.-]+):\s*(.*?)\s*$/i.exec(text) ?? [];
  if (name === undefined) throw new CliError(`-H takes 'NAME: VALUE', such as -H 'x-region: eu'`, ExitCode.USAGE);
  const key = name.toLowerCase();
  if (before.has(key))
    throw new CliError(`-H gives ${key} twice: a call that is explained has each header once`, ExitCode.USAGE);
  return new Map([...before, [key, value]]);
}

function format(decision: Decision): string {
  const { admitted, status, reason, message, rules, version } = decision;
  const head = formatFields([
    ['answer', admitted ? 'admitted' : `${status} (${reason}): ${message}`],
    ['tenant', decision.tenantId || 'nobody was authenticated'],
    ['principal', decision.principalId],
    ['plan', decision.plan],
    ['version', String(version)],
  ]);
  const rows = rules.map((rule) => [rule.stage, rule.rule, answerOf(rule), rule.detail, rule.message]);
  return `${head}\n${formatTable(['stage', 'rule', 'answer', 'goes by', 'why'], rows)}`;
}

function answerOf({ outcome, status, reason }: Rule): string {
  if (outcome !== Outcome.OUTCOME_REFUSES) return 'admits';
  return `${status}${reason === '' ? '' : ` (${reason})`}`;
}
