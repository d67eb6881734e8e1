import type { Command } from 'commander';

/** One line for each command that works as it stands, given a gateway with such things: what `--help` ends with. */
const EXAMPLES: Readonly<Record<string, string>> = {
  start: 'tollgate start --port 8400',
  serve: 'tollgate serve --config tollgate.yaml',
  check: 'tollgate check tollgate.yaml',
  'tenants list': 'tollgate tenants list --output json',
  'tenants get': 'tollgate tenants get acme',
  'tenants create': "tollgate tenants create acme --plan free --name 'Acme Inc.'",
  'tenants update': "tollgate tenants update acme --state suspended --reason 'unpaid since May'",
  'tenants delete': 'tollgate tenants delete acme --validate-only',
  'plans list': 'tollgate plans list',
  'plans get': 'tollgate plans get free',
  'plans create': 'tollgate plans create gold --limit calls=50:100 --quota units=10000/day --concurrency 20',
  'plans update': 'tollgate plans update gold --limit calls=100:200',
  'plans delete': 'tollgate plans delete gold',
  'keys list': 'tollgate keys list --tenant acme',
  'keys get': 'tollgate keys get 0123456789abcdef',
  'keys create': 'tollgate keys create --tenant acme --name ci --scope books.write --expires 90d',
  'keys update': 'tollgate keys update 0123456789abcdef --state disabled',
  'keys rotate': 'tollgate keys rotate 0123456789abcdef --grace 7d',
  'keys delete': "tollgate keys delete 0123456789abcdef --wait --reason 'leaked'",
  'backends list': 'tollgate backends list',
  'backends get': 'tollgate backends get orders',
  'backends create': 'tollgate backends create orders --endpoint 10.0.0.7:7500 --endpoint 10.0.0.8:7500',
  'backends update': "tollgate backends update orders --endpoint 10.0.0.9:7500 --reason 'moved'",
  'backends delete': 'tollgate backends delete orders',
  'contracts list': 'tollgate contracts list',
  'contracts get': 'tollgate contracts get orders',
  'contracts create': 'tollgate contracts create orders --backend orders --protos ./proto --listener public',
  'contracts update': 'tollgate contracts update orders --descriptor-set orders.binpb --validate-only',
  'contracts delete': 'tollgate contracts delete orders',
  'usage get': 'tollgate usage acme',
  'usage adjust': "tollgate usage adjust acme --units 5000 --reason 'goodwill, ticket 4711'",
  explain: 'tollgate explain bookstore.v1.BookstoreService/GetBook --tenant acme --scope books.write',
  metrics: 'tollgate metrics --by tenant,status',
  trace: 'tollgate trace 0190b6a4-0000-7000-8000-000000000001',
  debug: 'tollgate debug',
  top: 'tollgate top --by tenant',
  'breakers list': 'tollgate breakers list',
  'breakers isolate': "tollgate breakers isolate shop --reason 'maintenance'",
  'breakers reset': 'tollgate breakers reset shop',
  'gateways list': 'tollgate gateways list',
  'gateways restore': 'tollgate gateways restore --validate-only',
  'contexts list': 'tollgate contexts list',
  'contexts set': 'tollgate contexts set prod --address gw.example.com:7401 --ca ca.pem --key-from-env PROD_ADMIN_KEY',
  'contexts use': 'tollgate contexts use prod',
  'contexts delete': 'tollgate contexts delete staging',
};

/** Gives each command below `command` its example. */
export function addExamples(command: Command, before = ''): void {
  for (const each of command.commands) {
    const name = `${before}${each.name()}`;
    const example = EXAMPLES[name];
    if (example !== undefined) each.addHelpText('after', `\nExample:\n  ${example}`);
    addExamples(each, `${name} `);
  }
}
