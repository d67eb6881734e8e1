import { describe, expect, it } from 'vitest';
import { frame, WorkBench } from '../fake-socket.ts';
import { block } from '../support.ts';
import {
  areAccepted,
  client,
  END_HEADERS,
  END_STREAM,
  list,
  open,
  PROTOCOL_ERROR,
  resetTheStream,
  respond,
  Type,
  trailers,
} from './cases.ts';

// RFC 9113 section 8: messages. What is malformed is a stream error of type PROTOCOL_ERROR (section 8.1.1).

const END = END_HEADERS | END_STREAM;
const METHOD = [':method', 'POST'] as const;
const SCHEME = [':scheme', 'http'] as const;
const PATH = [':path', '/a'] as const;
const AUTHORITY = [':authority', 'test'] as const;

describe('a server, by section 8.1', () => {
  resetTheStream('server', [
    ['trailers that do not end the stream', PROTOCOL_ERROR, (b) => [open(b), trailers(b, END_HEADERS)]],
    [
      'trailers that do not end the stream, behind DATA',
      PROTOCOL_ERROR,
      (b) => [open(b), frame(0, 0, 1, 'x'), trailers(b, 4)],
    ],
  ]);
  areAccepted('server', [
    ['trailers behind the headers', (b) => [open(b), trailers(b)]],
    ['trailers behind DATA', (b) => [open(b), frame(Type.DATA, 0, 1, 'x'), trailers(b)]],
    ['empty trailers', (b) => [open(b), frame(Type.HEADERS, END, 1)]],
  ]);
});

describe('a server, by section 8.1.1 (content-length)', () => {
  const sized = (b: WorkBench, length: string) => open(b, { 'content-length': length });
  resetTheStream('server', [
    ['more DATA', PROTOCOL_ERROR, (b) => [sized(b, '2'), frame(Type.DATA, 0, 1, 'xyz')]],
    ['more DATA in several frames', PROTOCOL_ERROR, (b) => [sized(b, '2'), frame(0, 0, 1, 'x'), frame(0, 1, 1, 'yz')]],
    ['less DATA', PROTOCOL_ERROR, (b) => [sized(b, '2'), frame(Type.DATA, END_STREAM, 1, 'x')]],
    ['less DATA in front of trailers', PROTOCOL_ERROR, (b) => [sized(b, '2'), frame(0, 0, 1, 'x'), trailers(b)]],
    ['no DATA', PROTOCOL_ERROR, (b) => [list(b, [METHOD, SCHEME, PATH, ['content-length', '2']], END)]],
    ['a length that is no number', PROTOCOL_ERROR, (b) => [sized(b, '1x')]],
    ['a negative length', PROTOCOL_ERROR, (b) => [sized(b, '-1')]],
    ['an empty length', PROTOCOL_ERROR, (b) => [sized(b, '')]],
    [
      'two lengths',
      PROTOCOL_ERROR,
      (b) => [list(b, [METHOD, SCHEME, PATH, ['content-length', '1'], ['content-length', '2']])],
    ],
  ]);
  areAccepted('server', [
    [
      'as much DATA in several frames',
      (b) => [sized(b, '3'), frame(0, 0, 1, 'xy'), frame(0, 0, 1, ''), frame(0, 1, 1, 'z')],
    ],
    ['as much DATA in front of trailers', (b) => [sized(b, '3'), frame(0, 0, 1, 'xyz'), trailers(b)]],
    ['as much DATA with padding', (b) => [sized(b, '1'), frame(0, 9, 1, [2, 65, 0, 0])]],
    ['a length of 0 without DATA', (b) => [list(b, [METHOD, SCHEME, PATH, ['content-length', '0']], END)]],
    [
      'the same length twice',
      (b) => [list(b, [METHOD, SCHEME, PATH, ['content-length', '1'], ['content-length', '1']])],
    ],
  ]);
});

describe('a server, by sections 8.2.1 and 8.2.2 (fields)', () => {
  const bad: [string, [string, string]][] = [
    ['upper case in a name', ['X-Upper', '1']],
    ['an empty name', ['', '1']],
    ['a blank in a name', ['x y', '1']],
    ['a control in a name', ['x\x01', '1']],
    ['DEL in a name', ['x\x7f', '1']],
    ['an octet above ASCII in a name', ['x\xe4', '1']],
    ['a colon within a name', ['x:y', '1']],
    ['a line feed in a value', ['x', 'a\nb']],
    ['a carriage return in a value', ['x', 'a\rb']],
    ['NUL in a value', ['x', 'a\0b']],
    ['a value that begins with a space', ['x', ' a']],
    ['a value that ends with a space', ['x', 'a ']],
    ['a value that ends with a tab', ['x', 'a\t']],
    ['connection', ['connection', 'close']],
    ['proxy-connection', ['proxy-connection', 'keep-alive']],
    ['keep-alive', ['keep-alive', '3']],
    ['transfer-encoding', ['transfer-encoding', 'chunked']],
    ['upgrade', ['upgrade', 'h2c']],
    ['te other than trailers', ['te', 'gzip']],
    ['te with more than trailers', ['te', 'trailers, deflate;q=0.5']],
  ];
  resetTheStream(
    'server',
    bad.map(([rule, field]) => [rule, PROTOCOL_ERROR, (b) => [list(b, [METHOD, SCHEME, PATH, field])]]),
  );
  resetTheStream(
    'server',
    bad.map(([rule, field]) => [`${rule}, in trailers`, PROTOCOL_ERROR, (b) => [open(b), list(b, [field], END)]]),
  );
  areAccepted('server', [
    ['te: trailers', (b) => [open(b, { te: 'trailers' })]],
    ['an empty value', (b) => [open(b, { x: '' })]],
    ['octets above ASCII in a value', (b) => [open(b, { x: 'caf\xe9' })]],
    ['a tab within a value', (b) => [open(b, { x: 'a\tb' })]],
    ['several cookies (section 8.2.3)', (b) => [list(b, [METHOD, SCHEME, PATH, ['cookie', 'a=b'], ['cookie', 'c=d']])]],
  ]);
});

describe('a server, by sections 8.3 and 8.3.1 (pseudo-header fields)', () => {
  const bad: [string, (readonly [string, string])[]][] = [
    ['an unknown one', [[':x', '1'], METHOD, SCHEME, PATH]],
    ['one behind other fields', [METHOD, SCHEME, ['x', '1'], PATH]],
    [':status', [METHOD, SCHEME, PATH, [':status', '200']]],
    ['no :method', [SCHEME, PATH]],
    ['no :scheme', [METHOD, PATH]],
    ['no :path', [METHOD, SCHEME, AUTHORITY]],
    ['none at all', [['x', '1']]],
    [':method twice', [METHOD, METHOD, SCHEME, PATH]],
    [':scheme twice', [METHOD, SCHEME, SCHEME, PATH]],
    [':path twice', [METHOD, SCHEME, PATH, PATH]],
    [':authority twice', [METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY]],
    ['an empty :path', [METHOD, SCHEME, [':path', '']]],
    ['a :path without a slash', [METHOD, SCHEME, [':path', 'a']]],
    ['a :path with a blank', [METHOD, SCHEME, [':path', '/a b']]],
    ['an empty :method', [[':method', ''], SCHEME, PATH]],
    ['an empty :scheme', [METHOD, [':scheme', ''], PATH]],
    ['a line feed in :authority', [METHOD, SCHEME, PATH, [':authority', 'a\nb']]],
    ['CONNECT with :path and :scheme (section 8.5)', [[':method', 'CONNECT'], SCHEME, PATH, AUTHORITY]],
    ['CONNECT without :authority (section 8.5)', [[':method', 'CONNECT']]],
  ];
  resetTheStream(
    'server',
    bad.map(([rule, pairs]) => [rule, PROTOCOL_ERROR, (b) => [list(b, pairs)]]),
  );
  resetTheStream('server', [
    ['any in trailers', PROTOCOL_ERROR, (b) => [open(b), list(b, [PATH], END)]],
    [':status in trailers', PROTOCOL_ERROR, (b) => [open(b), list(b, [[':status', '200']], END)]],
  ]);
  areAccepted('server', [
    ['any order', (b) => [list(b, [PATH, AUTHORITY, SCHEME, METHOD])]],
    ['OPTIONS *', (b) => [list(b, [[':method', 'OPTIONS'], SCHEME, [':path', '*']])]],
    ['CONNECT with :authority alone (section 8.5)', (b) => [list(b, [[':method', 'CONNECT'], AUTHORITY])]],
  ]);

  it('answers 431 to a list above SETTINGS_MAX_HEADER_LIST_SIZE, and keeps the state of HPACK', async () => {
    const bench = new WorkBench({ settings: { maxHeaderListSize: 2_000 } }).greet();
    bench.feed(open(bench, { 'x-kept': 'yes', 'x-long': 'y'.repeat(3_000) }));
    const answer = (await bench.frames()).find(({ type }) => type === Type.HEADERS);
    expect(bench.decode(answer?.payload ?? Buffer.alloc(0)).get(':status')).toBe('431');
    expect(bench.recorders.size).toBe(0);
    bench.feed(open(bench, { 'x-kept': 'yes' }, 3));
    expect(bench.recorders.get(3)?.headers?.get('x-kept')).toBe('yes');
  });
});

describe('a client, by section 8', () => {
  resetTheStream('client', [
    ['a response without :status', PROTOCOL_ERROR, (b) => [list(b, [['x', '1']])]],
    ['a response with :path', PROTOCOL_ERROR, (b) => [list(b, [[':status', '200'], PATH])]],
    [
      ':status twice',
      PROTOCOL_ERROR,
      (b) => [
        list(b, [
          [':status', '200'],
          [':status', '200'],
        ]),
      ],
    ],
    ...['', '99', '800', '999', '1000', '20', '2 0', '-200', '0x200', 'abc', '200 OK'].map(
      (status) =>
        [`:status ${status || 'of nothing'}`, PROTOCOL_ERROR, (b: WorkBench) => [respond(b, status)]] as const,
    ),
    ['101 (section 8.6)', PROTOCOL_ERROR, (b) => [respond(b, '101')]],
    ['1xx that ends the stream', PROTOCOL_ERROR, (b) => [respond(b, '103', END)]],
    ['DATA between 1xx and the response', PROTOCOL_ERROR, (b) => [respond(b, '103'), frame(Type.DATA, 0, 1, 'x')]],
    ['a second response', PROTOCOL_ERROR, (b) => [respond(b), respond(b)]],
    ['1xx behind the response', PROTOCOL_ERROR, (b) => [respond(b), respond(b, '103')]],
    ['trailers that do not end the stream', PROTOCOL_ERROR, (b) => [respond(b), trailers(b, END_HEADERS)]],
    ['upper case in a name', PROTOCOL_ERROR, (b) => [respond(b, '200', END_HEADERS, { 'X-Upper': '1' })]],
    ['a line break in a value', PROTOCOL_ERROR, (b) => [respond(b, '200', END_HEADERS, { x: 'a\r\nb: c' })]],
    ['connection', PROTOCOL_ERROR, (b) => [respond(b, '200', END_HEADERS, { connection: 'close' })]],
    [
      'less DATA than content-length',
      PROTOCOL_ERROR,
      (b) => [respond(b, '200', 4, { 'content-length': '3' }), frame(0, 1, 1, 'x')],
    ],
    [
      'more DATA than content-length',
      PROTOCOL_ERROR,
      (b) => [respond(b, '200', 4, { 'content-length': '3' }), frame(0, 0, 1, 'wxyz')],
    ],
    [
      'trailers before content-length came',
      PROTOCOL_ERROR,
      (b) => [respond(b, '200', 4, { 'content-length': '3' }), trailers(b)],
    ],
  ]);
  areAccepted('client', [
    ['several 1xx in front of the response', (b) => [respond(b, '100'), respond(b, '103'), respond(b, '200', END)]],
    [
      'content-length without content, and its end in DATA (304)',
      (b) => [respond(b, '304', END_HEADERS, { 'content-length': '3' }), frame(Type.DATA, END_STREAM, 1)],
    ],
    ['content-length without content (304)', (b) => [respond(b, '304', END, { 'content-length': '3' })]],
    [
      'fields twice',
      (b) => [
        list(b, [
          [':status', '200'],
          ['x', '1'],
          ['x', '2'],
          ['content-type', 'a/b'],
          ['content-type', 'a/b'],
        ]),
      ],
    ],
    ['te, which means nothing in a response', (b) => [respond(b, '200', END_HEADERS, { te: 'trailers' })]],
  ]);

  it('hands on the final response only, and trailers with their fields', () => {
    const { bench, recorder } = client();
    bench.feed(respond(bench, '103', END_HEADERS, { link: '</x>' }));
    bench.feed(respond(bench, '200'));
    bench.feed(frame(Type.DATA, 0, 1, 'hello'));
    bench.feed(frame(Type.HEADERS, END, 1, bench.encode(block({ a: '1' }).fields.concat(block({ a: '2' }).fields))));
    expect(recorder.events).toEqual(['headers', 'data', 'trailers.']);
    expect(recorder.headers?.get('link')).toBeUndefined();
    expect(recorder.trailers?.fields.map(({ name, value }) => [name, value])).toEqual([
      ['a', '1'],
      ['a', '2'],
    ]);
  });

  it('keeps a response that is complete when NO_ERROR follows (section 8.1)', () => {
    const { bench, recorder } = client(false);
    bench.feed(respond(bench));
    bench.feed(frame(Type.DATA, END_STREAM, 1, 'hello'));
    bench.feed(frame(Type.RST_STREAM, 0, 1, [0, 0, 0, 0]));
    expect(recorder.events).toEqual(['headers', 'data.', 'reset']);
    expect(recorder.body.toString()).toBe('hello');
  });
});
