import { type Contender, configure, findProgram, versionOf } from './proxy.ts';

export const nghttpx: Contender = {
  name: 'nghttpx',
  does: 'forwards; sets two headers',
  install: 'Debian package nghttp2-proxy',
  authenticates: false,
  version: () => versionOf(findProgram('nghttpx'), '--version', /nghttp2\/(\S+)/),
  start: (setup) =>
    setup.children.start('nghttpx', findProgram('nghttpx')!, [`--conf=${configure(setup, 'nghttpx.conf')}`]),
};
