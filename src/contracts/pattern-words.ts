/** What the patterns of the schema say, in words. */
const PATTERNS: readonly (readonly [pattern: string, words: string])[] = [
  ['^[a-z][a-z0-9-]{0,62}$', 'a name is lower-case letters, digits and "-", a letter first, at most 63'],
  ['^[a-z0-9][a-z0-9-]{0,62}$', 'a name is lower-case letters, digits and "-", no "-" first, at most 63'],
  ['^[a-z][a-z0-9_-]{0,62}$', 'a name is lower-case letters, digits, "-" and "_", a letter first, at most 63'],
  ['^[0-9a-f]{64}$', 'a SHA-256 is 64 lower-case hex digits: printf %s "$KEY" | sha256sum'],
];

/** What a rule wants whose pattern a complaint of protovalidate's quotes; undefined for what is no pattern of ours. */
export function findPatternWords(complaint: string): string | undefined {
  return PATTERNS.find(([pattern]) => complaint.includes(`\`${pattern}\``))?.[1];
}
