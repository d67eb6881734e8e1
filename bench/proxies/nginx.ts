import { type Contender, configure, findProgram, versionOf } from './proxy.ts';

export const nginx: Contender = {
  name: 'nginx',
  does: '`grpc_pass`; sets two headers',
  install: 'Debian package nginx',
  authenticates: false,
  version: () => versionOf(findProgram('nginx'), '-v', /nginx\/(\S+)/),
  start(setup) {
    // A worker of another user could not write to the folder.
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    const config = configure(setup, 'nginx.conf', { user });
    return setup.children.start('nginx', findProgram('nginx')!, ['-p', setup.folder, '-c', config, '-e', 'stderr']);
  },
};
