import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder with these files, gone when the test ends. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** A service with policy on every level, and each call kind. */
export const SHOP = `syntax = "proto3";
package shop.v1;
import "tollgate/policy/v1/policy.proto";
message M { string x = 1; }
service Shop {
  option (tollgate.policy.v1.service) = { required_scopes: ["shop"] cost: 3 max_deadline: { seconds: 30 } };
  rpc Inherits(M) returns (M);
  rpc Says(stream M) returns (M) {
    option (tollgate.policy.v1.method) = {
      required_scopes: ["a", "b"] cost: 0 max_deadline: { nanos: 1500000 } idempotent: true limit: "slow"
    };
  }
  rpc Open(M) returns (stream M) { option (tollgate.policy.v1.method) = { public: true }; }
  rpc Both(stream M) returns (stream M) { option (tollgate.policy.v1.method) = { cost: 7 }; }
}
service Plain { rpc Do(M) returns (M); }
`;
