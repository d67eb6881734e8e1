import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ResourceAttributes } from '../otlp/plan-export.ts';
import { encodeAttribute, type SpanWriter } from './encode-span.ts';

/** What spans of a gateway have in common. */
export interface SpanSource {
  readonly resource: ResourceAttributes;
  readonly scope: { readonly name: string; readonly version: string };
}

// Field numbers of `opentelemetry.proto.collector.trace.v1`, `.trace.v1`, `.resource.v1` and `.common.v1`.
const ExportTraceServiceRequest = { RESOURCE_SPANS: 1 } as const;
const ResourceSpans = { RESOURCE: 1, SCOPE_SPANS: 2 } as const;
const Resource = { ATTRIBUTES: 1 } as const;
const ScopeSpans = { SCOPE: 1 } as const;
const InstrumentationScope = { NAME: 1, VERSION: 2 } as const;

/** Makes the `ExportTraceServiceRequest` of spans that were written. */
export function createBatchEncoder({ resource, scope }: SpanSource): (spans: SpanWriter) => Uint8Array {
  const writer = new BinaryWriter();
  for (const [name, value] of Object.entries(resource)) encodeAttribute(writer, Resource.ATTRIBUTES, name, value);
  const resourceOctets = writer.finish();
  writer.tag(InstrumentationScope.NAME, WireType.LengthDelimited).string(scope.name);
  writer.tag(InstrumentationScope.VERSION, WireType.LengthDelimited).string(scope.version);
  const scopeOctets = writer.finish();
  writer.tag(ResourceSpans.RESOURCE, WireType.LengthDelimited).bytes(resourceOctets);
  const resourceField = writer.finish();
  writer.tag(ScopeSpans.SCOPE, WireType.LengthDelimited).bytes(scopeOctets);
  const scopeField = writer.finish();
  return (spans) => {
    // Lengths first: to put the parts together inside out would copy all spans at each level.
    const { octets } = spans;
    const scopeLength = scopeField.length + octets.length;
    writer.tag(ResourceSpans.SCOPE_SPANS, WireType.LengthDelimited).uint32(scopeLength);
    const scopeHead = writer.finish();
    const resourceLength = resourceField.length + scopeHead.length + scopeLength;
    writer.tag(ExportTraceServiceRequest.RESOURCE_SPANS, WireType.LengthDelimited).uint32(resourceLength);
    return Buffer.concat([writer.finish(), resourceField, scopeHead, scopeField, octets]);
  };
}
