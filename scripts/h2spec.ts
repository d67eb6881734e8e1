/**
 * Runs h2spec (github.com/summerwind/h2spec), the conformance suite of HTTP/2 servers, against a gateway of its own, in
 * strict mode. docs/http2-conformance.md says which cases fail, and why they may.
 * Usage: npm run h2spec [-- cases of h2spec, e.g. http2/6.9]; H2SPEC names the executable where it is not in the PATH.
 */
import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { startTestGateway } from '../test/support/test-gateway.ts';

const INSTALL = `h2spec is not installed. With Go (https://go.dev/dl):
  go install github.com/summerwind/h2spec/cmd/h2spec@latest
then have $(go env GOPATH)/bin in the PATH, or set H2SPEC to the executable.
The tests of this project carry the same cases themselves: npx vitest run test/http2/conformance
`;

/** The executable: H2SPEC, or the first in the PATH or where Go puts it. */
async function findH2spec(): Promise<string | undefined> {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const goPath = process.env.GOPATH ?? join(homedir(), 'go');
  const candidates = [...folders, join(goPath, 'bin')].map((folder) => join(folder, 'h2spec'));
  for (const candidate of process.env.H2SPEC === undefined ? candidates : [process.env.H2SPEC]) {
    const found = await access(candidate).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return undefined;
}

/** Runs h2spec against a port of this machine. @returns all that it printed */
function runH2spec(h2spec: string, port: number, cases: readonly string[]): Promise<string> {
  // `--strict` adds the cases that RFC 7540 says SHOULD of; a case may take as long as `-o` says, in seconds.
  const args = ['-h', '127.0.0.1', '-p', String(port), '--strict', '-o', '2', ...cases];
  return new Promise((resolve, reject) => {
    const child = spawn(h2spec, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}

/** What failed, with what was expected, and the count. */
function summaryOf(output: string): string {
  const failures = output.indexOf('Failures:');
  if (failures >= 0) return output.slice(failures);
  return output.slice(Math.max(0, output.indexOf('Finished in')));
}

const h2spec = await findH2spec();
if (h2spec === undefined) {
  process.stderr.write(INSTALL);
  process.exitCode = 1;
} else {
  // No backend is needed: h2spec has no key, so the gateway itself answers, with 415 and a body.
  const gateway = await startTestGateway({ backend: '127.0.0.1:1' });
  try {
    const summary = summaryOf(await runH2spec(h2spec, gateway.public, process.argv.slice(2)));
    process.stdout.write(`${summary}\n`);
    if (!/\b0 failed/.test(summary)) process.stdout.write('docs/http2-conformance.md says why they may.\n');
  } finally {
    await gateway.stop();
  }
}
