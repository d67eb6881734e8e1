import { execFileSync, spawnSync } from 'node:child_process';

// What the tests need beside Node: `npm test` runs this first.

const has = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;

function installRedis(): void {
  if (has('redis-server')) return;
  const isRoot = process.getuid?.() === 0;
  if (isRoot && has('apt-get')) {
    process.stderr.write('The tests start real Redis servers: installing redis-server.\n');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    try {
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], { env, stdio: 'ignore' });
    } catch {
      // The lists of packages may be old, or not there.
      execFileSync('apt-get', ['update'], { env, stdio: 'ignore' });
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], { env, stdio: 'inherit' });
    }
  }
  if (has('redis-server')) return;
  process.stderr.write(
    'The tests start real Redis servers, and redis-server (7.0 or later) is not there. Install it:\n' +
      '  Debian, Ubuntu: sudo apt-get install -y redis-server\n' +
      '  macOS: brew install redis\n',
  );
  process.exit(1);
}

/** Some tests move the clock of a Redis; where this cannot be installed they are left out. */
function installFaketime(): void {
  if (has('faketime') || process.platform !== 'linux' || process.getuid?.() !== 0 || !has('apt-get')) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const args = ['install', '-y', '--no-install-recommends', 'faketime'];
  if (spawnSync('apt-get', args, { env, stdio: 'ignore' }).status === 0) return;
  process.stderr.write('The tests that move the clock of a Redis are left out: faketime could not be installed.\n');
}

installRedis();
installFaketime();
