// What the tests use of the codec that OpenTelemetry generated from the published OTLP protos (opentelemetry-proto 1.3). The
// package `otlp-protos` is `@opentelemetry/otlp-transformer` 0.57, the last one that can decode requests.
declare module 'otlp-protos/build/src/generated/root.js' {
  interface Value {
    readonly stringValue?: string | null;
    readonly boolValue?: boolean | null;
    readonly intValue?: { toString(): string } | number | null;
    readonly doubleValue?: number | null;
  }
  interface KeyValue {
    readonly key: string;
    readonly value?: Value | null;
  }
  interface Span {
    readonly traceId: Uint8Array;
    readonly spanId: Uint8Array;
    readonly parentSpanId: Uint8Array | null;
    readonly name: string;
    readonly kind: number;
    readonly startTimeUnixNano: { toString(): string } | number;
    readonly endTimeUnixNano: { toString(): string } | number;
    readonly attributes: readonly KeyValue[];
    readonly status?: { readonly code?: number | null } | null;
  }
  interface ExportTraceServiceRequest {
    readonly resourceSpans: readonly {
      readonly resource?: { readonly attributes: readonly KeyValue[] } | null;
      readonly scopeSpans: readonly {
        readonly scope?: { readonly name: string; readonly version: string } | null;
        readonly spans: readonly Span[];
      }[];
    }[];
  }
  type Integer = { toString(): string } | number;
  interface NumberDataPoint {
    readonly attributes: readonly KeyValue[];
    readonly startTimeUnixNano: Integer;
    readonly timeUnixNano: Integer;
    readonly asDouble?: number | null;
    readonly asInt?: Integer | null;
  }
  interface HistogramDataPoint {
    readonly attributes: readonly KeyValue[];
    readonly startTimeUnixNano: Integer;
    readonly timeUnixNano: Integer;
    readonly count: Integer;
    readonly sum: number;
    readonly bucketCounts: readonly Integer[];
    readonly explicitBounds: readonly number[];
  }
  interface Metric {
    readonly name: string;
    readonly description: string;
    readonly unit: string | null;
    readonly gauge?: { readonly dataPoints: readonly NumberDataPoint[] } | null;
    readonly sum?: {
      readonly dataPoints: readonly NumberDataPoint[];
      readonly aggregationTemporality: number;
      readonly isMonotonic: boolean;
    } | null;
    readonly histogram?: {
      readonly dataPoints: readonly HistogramDataPoint[];
      readonly aggregationTemporality: number;
    } | null;
  }
  interface ExportMetricsServiceRequest {
    readonly resourceMetrics: readonly {
      readonly resource?: { readonly attributes: readonly KeyValue[] } | null;
      readonly scopeMetrics: readonly {
        readonly scope?: { readonly name: string; readonly version: string } | null;
        readonly metrics: readonly Metric[];
      }[];
    }[];
  }
  export const opentelemetry: {
    readonly proto: {
      readonly collector: {
        readonly metrics: {
          readonly v1: {
            readonly ExportMetricsServiceRequest: { decode(octets: Uint8Array): ExportMetricsServiceRequest };
          };
        };
        readonly trace: {
          readonly v1: {
            readonly ExportTraceServiceRequest: { decode(octets: Uint8Array): ExportTraceServiceRequest };
          };
        };
      };
    };
  };
}
