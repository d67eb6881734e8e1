import parse, { type ParsedFamily } from 'parse-prometheus-text-format';

export type PrometheusSample = ParsedFamily['metrics'][number];

/**
 * Reads Prometheus' text with a parser of others, each line as a sample: histograms and summaries too, of which it knows but
 * one a family. @throws on what is no such text
 */
export class PrometheusText {
  readonly families: readonly ParsedFamily[];

  constructor(text: string) {
    this.families = parse(text.replace(/^(# TYPE \S+) (?:histogram|summary)$/gm, '$1 untyped'));
  }

  get names(): string[] {
    return this.families.map(({ name }) => name);
  }

  /** Lines of this name. @throws when there are none */
  samples(name: string): readonly PrometheusSample[] {
    const samples = this.families.filter((family) => family.name === name).flatMap(({ metrics }) => metrics);
    if (samples.length === 0) throw new Error(`there is no ${name}`);
    return samples;
  }

  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const matching = this.samples(name).filter((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value),
    );
    return matching.reduce((sum, { value }) => sum + Number(value), 0);
  }
}
