import { type Contender, configure, findProgram, versionOf } from './proxy.ts';

export const haproxy: Contender = {
  name: 'HAProxy',
  does: 'forwards; sets two headers, one a random UUID',
  install: 'Debian package haproxy',
  authenticates: false,
  version: () => versionOf(findProgram('haproxy'), '-v', /version (\d[\d.]*)/),
  start: (setup) =>
    setup.children.start('haproxy', findProgram('haproxy')!, ['-db', '-f', configure(setup, 'haproxy.cfg')]),
};
