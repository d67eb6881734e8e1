import { frame, word } from '../fake-socket.ts';
import type { Random } from './random.ts';

const PREFACE = 24;
const NUMBERS = [0, 1, 2, 8, 16_383, 16_384, 65_535, 65_536, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff];
const OCTETS = [0, 1, 0x0f, 0x1f, 0x20, 0x3f, 0x7f, 0x80, 0x82, 0xbf, 0xc0, 0xfe, 0xff];

/** The frames of what one side wrote; a client's preface is the first. */
export function cut(octets: Buffer, preface: boolean): Buffer[] {
  const frames: Buffer[] = [];
  let at = 0;
  if (preface) {
    at = PREFACE;
    frames.push(octets.subarray(0, at));
  }
  while (at + 9 <= octets.length) {
    const end = at + 9 + octets.readUIntBE(at, 3);
    frames.push(octets.subarray(at, end));
    at = end;
  }
  return frames;
}

/** A frame that breaks or strains some rule. Streams are those of the recordings, mostly. */
function madeUp(random: Random): Buffer {
  const id = random.pick([0, 1, 1, 3, 3, 5, 7, 9, 11, 2, 0x7fffffff]);
  const value = word(random.pick(NUMBERS));
  switch (random.below(9)) {
    case 0:
      return frame(8, 0, id, value);
    case 1:
      return frame(3, 0, id, word(random.below(16)));
    case 2:
      return frame(4, 0, 0, [0, random.below(8), ...value]);
    case 3:
      return frame(7, 0, 0, [...word(random.pick([0, 1, 3, 0x7fffffff])), ...value]);
    case 4:
      return frame(0, random.pick([0, 1, 8, 9]), id, Buffer.alloc(random.below(300), random.below(256)));
    case 5:
      return frame(6, random.below(2), 0, Buffer.alloc(8));
    case 6:
      return frame(random.pick([1, 9]), random.pick([0, 1, 4, 5, 0x2d]), id, hpack(random));
    case 7:
      return frame(2, 0, id, [...value, 7]);
    default:
      return frame(random.below(256), random.below(256), id, Buffer.alloc(random.below(40), random.below(256)));
  }
}

/** Octets that look like a header block. */
function hpack(random: Random): Buffer {
  const parts: number[] = [];
  for (let left = random.below(30); left > 0; left--)
    parts.push(random.oneIn(3) ? random.pick(OCTETS) : random.below(256));
  return Buffer.from(random.oneIn(2) ? [0x83, 0x86, 0x84, ...parts] : [0x88, ...parts]);
}

/** Changes one thing of the header or payload of a frame. */
function disturb(one: Buffer, random: Random): Buffer {
  const changed = Buffer.from(one);
  if (changed.length < 9) return changed;
  switch (random.below(7)) {
    case 0:
      changed[3] = random.below(11);
      return changed;
    case 1:
      changed[4] = changed[4]! ^ (1 << random.below(8));
      return changed;
    case 2:
      changed.writeUInt32BE(random.pick([0, 1, 3, 5, 7, 2, 99, 0x80000001]), 5);
      return changed;
    case 3:
      changed.writeUIntBE(
        Math.min(random.oneIn(4) ? random.below(0xffffff) : random.below(changed.length), 0xffffff),
        0,
        3,
      );
      return changed;
    case 4: // Shorter, and true about it.
      return frame(
        changed[3]!,
        changed[4]!,
        changed.readUInt32BE(5),
        changed.subarray(9, 9 + random.below(changed.length - 9)),
      );
    case 5:
      if (changed.length > 9) changed[9 + random.below(changed.length - 9)] = random.pick(OCTETS);
      return changed;
    default:
      if (changed.length > 13) changed.writeUInt32BE(random.pick(NUMBERS), 9 + random.below(changed.length - 13));
      return changed;
  }
}

/** Changes up to a handful of frames: left out, doubled, exchanged, disturbed, made up. The first stays, mostly. */
export function mutateFrames(frames: readonly Buffer[], random: Random): Buffer[] {
  const result = [...frames];
  for (let left = 1 + random.below(6); left > 0 && result.length > 1; left--) {
    const at = random.oneIn(30) ? random.below(result.length) : 2 + random.below(result.length - 2);
    const chosen = result[at];
    if (chosen === undefined) continue;
    switch (random.below(6)) {
      case 0:
        result.splice(at, 1);
        break;
      case 1:
        result.splice(random.below(result.length + 1), 0, chosen);
        break;
      case 2:
        result[at] = result[Math.max(2, at - 1)] ?? chosen;
        result[Math.max(2, at - 1)] = chosen;
        break;
      case 3:
        result[at] = disturb(chosen, random);
        break;
      case 4:
        for (let more = 1 + random.below(20); more > 0; more--) result.splice(at, 0, chosen);
        break;
      default:
        result.splice(at, 0, madeUp(random));
    }
  }
  return result;
}

/** Changes up to a handful of octets: other bits, others left out, others put in. */
export function mutateOctets(octets: Buffer, random: Random): Buffer {
  let result = Buffer.from(octets);
  for (let left = 1 + random.below(8); left > 0 && result.length > 0; left--) {
    const at = random.below(result.length);
    switch (random.below(4)) {
      case 0:
        result[at] = result[at]! ^ (1 << random.below(8));
        break;
      case 1:
        result[at] = random.pick(OCTETS);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + random.below(12))]);
        break;
      default:
        result = Buffer.concat([result.subarray(0, at), hpack(random), result.subarray(at)]);
    }
  }
  return result;
}

/** Cuts octets into the reads that they come in. */
export function reads(octets: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  const size = random.pick([1, 7, 64, 1_000, 16_384, 65_536]);
  // Octet by octet only for short ones.
  const least = octets.length > 5_000 ? 64 : 1;
  for (let at = 0; at < octets.length; ) {
    const end = at + Math.max(least, 1 + random.below(size));
    pieces.push(octets.subarray(at, end));
    at = end;
  }
  return pieces;
}
