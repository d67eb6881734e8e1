import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGrpcContentType, messageFormat } from '../../src/grpc/content-type.ts';
import { codeOfHttpStatus, codeOfResetCode, httpStatusOfCode, resetCodeOf } from '../../src/grpc/http-status.ts';
import { decodeMessage, encodeMessage } from '../../src/grpc/message.ts';
import {
  decodeBinary,
  decodeBinaryList,
  encodeBinary,
  isBinaryKey,
  isValidAsciiValue,
  isValidKey,
} from '../../src/grpc/metadata.ts';
import { CODES, Code, codeName, codeOf, parseStatus } from '../../src/grpc/status.ts';
import { formatTimeout, parseTimeout } from '../../src/grpc/timeout.ts';

describe('status', () => {
  it('names every code both ways', () => {
    for (let code = 0; code < CODES; code++) expect(codeOf(codeName(code))).toBe(code);
    expect(codeName(17)).toBe('UNKNOWN');
    expect(codeName(-1)).toBe('UNKNOWN');
    expect(codeOf('toString')).toBeUndefined();
  });

  it('reads what is no code as UNKNOWN', () => {
    expect(parseStatus('0')).toBe(Code.OK);
    expect(parseStatus('16')).toBe(Code.UNAUTHENTICATED);
    for (const text of ['', '17', '-1', '1.5', '0x1', ' 1', '1 ', '999999999999', 'OK', '01']) {
      expect(parseStatus(text), text).toBe(Code.UNKNOWN);
    }
  });
});

describe('timeout', () => {
  it('reads all units', () => {
    const texts = ['1H', '2M', '3S', '4m', '5u', '6n', '99999999m', '0S'].map(parseTimeout);
    expect(texts).toEqual([3_600_000, 120_000, 3000, 4, 0.005, 6e-6, 99_999_999, 0]);
  });

  it('refuses what the specification does not allow', () => {
    for (const text of ['', 'S', '1', '123456789S', '-1S', '+1S', '1s', '1.5S', ' 1S', '1S ', '1e3m', '1x', '１S']) {
      expect(parseTimeout(text), text).toBeUndefined();
    }
  });

  it('formats short times in short units', () => {
    expect(formatTimeout(1500.9)).toBe('1500m');
    expect(formatTimeout(999.9999)).toBe('999999u');
    expect(formatTimeout(0.0005)).toBe('500n');
    expect(formatTimeout(0)).toBe('1n');
    expect(formatTimeout(-5)).toBe('1n');
    expect(formatTimeout(Number.NaN)).toBe('1n');
    expect(formatTimeout(Number.POSITIVE_INFINITY)).toBe('99999999H');
  });

  it('never gives the backend more time than is left, nor a hundredth less than it could', () => {
    const ms = fc.oneof(
      fc.double({ min: 1e-6, max: 3.5e14, noNaN: true }),
      fc.double({ min: 1e-6, max: 1e5, noNaN: true }),
      fc.double({ min: 0.9e8, max: 1.1e8, noNaN: true }),
    );
    fc.assert(
      fc.property(ms, (left) => {
        const text = formatTimeout(left);
        expect(text).toMatch(/^[1-9][0-9]{0,7}[HMSmun]$/);
        const parsed = parseTimeout(text)!;
        expect(parsed).toBeLessThanOrEqual(left * (1 + 1e-9));
        if (left >= 1e-3) expect(parsed).toBeGreaterThan(left * 0.99 - 1e-3);
      }),
    );
  });
});

describe('grpc-message', () => {
  it('leaves plain text alone and encodes the rest as UTF-8', () => {
    expect(encodeMessage('no such book')).toBe('no such book');
    expect(encodeMessage('100 %\n')).toBe('100 %25%0A');
    expect(encodeMessage('für')).toBe('f%C3%BCr');
  });

  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = encodeMessage(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(decodeMessage(encoded)).toBe(text);
      }),
    );
  });

  it('keeps what is badly encoded', () => {
    expect(decodeMessage('50% off %zz %4')).toBe('50% off %zz %4');
    expect(decodeMessage('%FF')).toBe('\ufffd');
    expect(decodeMessage('%')).toBe('%');
    fc.assert(fc.property(fc.string(), (text) => typeof decodeMessage(text) === 'string'));
  });
});

describe('HTTP', () => {
  it('maps HTTP statuses as gRPC says', () => {
    const statuses = [400, 401, 403, 404, 429, 502, 503, 504, 200, 302, 500, 800].map((s) =>
      codeName(codeOfHttpStatus(s)),
    );
    expect(statuses).toEqual([
      'INTERNAL',
      'UNAUTHENTICATED',
      'PERMISSION_DENIED',
      'UNIMPLEMENTED',
      'UNAVAILABLE',
      'UNAVAILABLE',
      'UNAVAILABLE',
      'UNAVAILABLE',
      'UNKNOWN',
      'UNKNOWN',
      'UNKNOWN',
      'UNKNOWN',
    ]);
  });

  it('maps codes to HTTP statuses', () => {
    expect(httpStatusOfCode(Code.OK)).toBe(200);
    expect(httpStatusOfCode(Code.UNAUTHENTICATED)).toBe(401);
    expect(httpStatusOfCode(Code.RESOURCE_EXHAUSTED)).toBe(429);
    expect(httpStatusOfCode(Code.UNIMPLEMENTED)).toBe(501);
    expect(httpStatusOfCode(99)).toBe(500);
  });

  it('maps resets as gRPC says', () => {
    const codes = Array.from({ length: 15 }, (_, code) => codeName(codeOfResetCode(code)));
    expect(codes[7]).toBe('UNAVAILABLE');
    expect(codes[8]).toBe('CANCELLED');
    expect(codes[11]).toBe('RESOURCE_EXHAUSTED');
    expect(codes[12]).toBe('PERMISSION_DENIED');
    for (const other of [0, 1, 2, 3, 4, 5, 6, 9, 10, 13, 14]) expect(codes[other]).toBe('INTERNAL');
  });

  it('never promises with a reset that a request was not processed', () => {
    for (let code = 0; code < CODES; code++) expect(resetCodeOf(code)).not.toBe(7);
    expect(resetCodeOf(Code.CANCELLED)).toBe(8);
    expect(resetCodeOf(Code.DEADLINE_EXCEEDED)).toBe(8);
  });
});

describe('content type', () => {
  it('knows gRPC from what looks like it', () => {
    for (const type of [
      'application/grpc',
      'application/grpc+proto',
      'application/grpc; charset=utf-8',
      'application/grpc ;a=b',
      'Application/GRPC+json',
    ]) {
      expect(isGrpcContentType(type), type).toBe(true);
    }
    for (const type of [undefined, '', 'application/grp', 'application/grpc-web', 'application/grpcx', 'text/html']) {
      expect(isGrpcContentType(type), type).toBe(false);
    }
  });

  it('tells the message format', () => {
    expect(messageFormat('application/grpc')).toBe('proto');
    expect(messageFormat('application/grpc+JSON; x=y')).toBe('json');
    expect(messageFormat('application/grpc+')).toBe('proto');
    expect(messageFormat('application/json')).toBeUndefined();
  });
});

describe('metadata', () => {
  it('gives back any octets, padded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        const text = encodeBinary(octets);
        expect(text).not.toContain('=');
        expect(new Uint8Array(decodeBinary(text)!)).toEqual(octets);
        expect(new Uint8Array(decodeBinary(Buffer.from(octets).toString('base64'))!)).toEqual(octets);
      }),
    );
  });

  it('reads several values of one field, and refuses what is no base64', () => {
    expect(decodeBinaryList('AQ, Ag==,')).toEqual([Buffer.from([1]), Buffer.from([2]), Buffer.alloc(0)]);
    for (const text of ['A', 'AQ=', 'A===', '!!', 'AQ==AQ==', 'A-_A']) expect(decodeBinary(text), text).toBeUndefined();
    expect(decodeBinaryList('AQ,*')).toBeUndefined();
  });

  it('knows valid keys and values', () => {
    expect(isValidKey('trace-id_1.bin')).toBe(true);
    for (const key of ['', 'Upper', 'grpc-timeout', ':path', 'a b', 'é']) expect(isValidKey(key), key).toBe(false);
    expect(isBinaryKey('trace-bin')).toBe(true);
    expect(isBinaryKey('trace')).toBe(false);
    expect(isValidAsciiValue('plain ~')).toBe(true);
    expect(isValidAsciiValue('tab\t')).toBe(false);
  });
});
