import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOfHttpStatus, codeOfResetCode, httpStatusOfCode, resetCodeOf } from '../../src/grpc/http-status.ts';
import { decodeMessage, encodeMessage } from '../../src/grpc/message.ts';
import { decodeBinaryList, encodeBinary } from '../../src/grpc/metadata.ts';
import { CODES, Code } from '../../src/grpc/status.ts';
import { formatTimeout, parseTimeout } from '../../src/grpc/timeout.ts';

// The tables of PROTOCOL-HTTP2.md, http-grpc-status-mapping.md and google/rpc/code.proto, line by line.

describe('HTTP/2 error codes', () => {
  it.each([
    ['NO_ERROR', 0x0, 'INTERNAL'],
    ['PROTOCOL_ERROR', 0x1, 'INTERNAL'],
    ['INTERNAL_ERROR', 0x2, 'INTERNAL'],
    ['FLOW_CONTROL_ERROR', 0x3, 'INTERNAL'],
    ['SETTINGS_TIMEOUT', 0x4, 'INTERNAL'],
    ['STREAM_CLOSED', 0x5, 'INTERNAL'],
    ['FRAME_SIZE_ERROR', 0x6, 'INTERNAL'],
    ['REFUSED_STREAM', 0x7, 'UNAVAILABLE'],
    ['CANCEL', 0x8, 'CANCELLED'],
    ['COMPRESSION_ERROR', 0x9, 'INTERNAL'],
    ['CONNECT_ERROR', 0xa, 'INTERNAL'],
    ['ENHANCE_YOUR_CALM', 0xb, 'RESOURCE_EXHAUSTED'],
    ['INADEQUATE_SECURITY', 0xc, 'PERMISSION_DENIED'],
    ['HTTP_1_1_REQUIRED', 0xd, 'INTERNAL'],
    ['none that is known', 0xffffffff, 'INTERNAL'],
  ] as const)('%s is %j: %s', (_name, error, name) => {
    expect(codeOfResetCode(error)).toBe(Code[name]);
  });

  it('come back as the status that was reset with, where there is one, and as no other success or refusal', () => {
    for (let code = 1; code < CODES; code++) {
      const back = codeOfResetCode(resetCodeOf(code));
      const own: readonly number[] = [Code.CANCELLED, Code.RESOURCE_EXHAUSTED, Code.PERMISSION_DENIED, Code.INTERNAL];
      const expected = own.includes(code) ? code : code === Code.DEADLINE_EXCEEDED ? Code.CANCELLED : Code.INTERNAL;
      expect([code, back]).toEqual([code, expected]);
    }
  });
});

describe('HTTP statuses', () => {
  const MAPPED: Readonly<Record<number, number>> = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
  };

  it('have the code of the table, all others UNKNOWN', () => {
    for (let http = 0; http < 1_000; http++) expect([http, codeOfHttpStatus(http)]).toEqual([http, MAPPED[http] ?? 2]);
  });

  it('of codes are those of code.proto', () => {
    const statuses = Array.from({ length: CODES }, (_, code) => httpStatusOfCode(code));
    expect(statuses).toEqual([200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]);
  });
});

describe('grpc-timeout', () => {
  it('of any number and unit is read exactly', () => {
    const units = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
    const unit = fc.constantFrom(...Object.entries(units));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999 }), unit, (value, [name, ms]) => {
        expect(parseTimeout(`${value}${name}`)).toBe(value * ms);
        expect(parseTimeout(`${String(value).padStart(8, '0')}${name}`)).toBe(value * ms);
      }),
    );
  });

  it('never throws, whatever it is, and what is read can be told on', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,10}[HMSmunx ]{0,2}$/)), (text) => {
        const ms = parseTimeout(text);
        if (ms !== undefined) expect(formatTimeout(ms)).toMatch(/^[1-9][0-9]{0,7}[HMSmun]$/);
      }),
    );
  });
});

describe('grpc-message', () => {
  it('encodes what is outside of space to ~, and %, octet by octet', () => {
    for (let octet = 0; octet < 128; octet++) {
      const plain = octet >= 0x20 && octet <= 0x7e && octet !== 0x25;
      const hex = octet.toString(16).toUpperCase().padStart(2, '0');
      expect(encodeMessage(String.fromCharCode(octet))).toBe(plain ? String.fromCharCode(octet) : `%${hex}`);
    }
    expect(encodeMessage('€ 😀')).toBe('%E2%82%AC %F0%9F%98%80');
    // Half of a surrogate pair is no character: U+FFFD stands for it.
    expect(encodeMessage('\ud83d')).toBe('%EF%BF%BD');
  });

  it('is decoded with digits of either case, and once only', () => {
    expect(decodeMessage('%e2%82%AC')).toBe('€');
    expect(decodeMessage('%2525')).toBe('%25');
    expect(decodeMessage('%00')).toBe('\0');
  });
});

describe('metadata of -bin names', () => {
  it('is read whole from several values in one field, padded or not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uint8Array(), fc.boolean()), { minLength: 1, maxLength: 5 }), (values) => {
        const field = values
          .map(([octets, padded]) => (padded ? Buffer.from(octets).toString('base64') : encodeBinary(octets)))
          .join(',');
        expect(decodeBinaryList(field)?.map((octets) => [...octets])).toEqual(values.map(([octets]) => [...octets]));
      }),
    );
  });

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const values = decodeBinaryList(text);
        expect(values === undefined || values.length > 0).toBe(true);
      }),
    );
  });
});
