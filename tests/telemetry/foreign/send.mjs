// A program as somebody writes it: traces as protobuf and as JSON, logs and metrics, with nothing but the environment.
import { createRequire } from "node:module";
const require = createRequire(process.env.SENDER_MODULES + "/");
const { trace, context, propagation, SpanStatusCode } = require("@opentelemetry/api");
const { W3CTraceContextPropagator } = require("@opentelemetry/core");
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const proto = require("@opentelemetry/exporter-trace-otlp-proto");
const json = require("@opentelemetry/exporter-trace-otlp-http");
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-proto");
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
const { OTLPMetricExporter } = require("@opentelemetry/exporter-metrics-otlp-proto");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const resource = resourceFromAttributes({ "service.name": "node-app" });
const processors = [new proto.OTLPTraceExporter(), new json.OTLPTraceExporter()].map((to) => new BatchSpanProcessor(to));
const tracers = processors.map((each) => new NodeTracerProvider({ resource, spanProcessors: [each] }));
const carrier = { traceparent: process.env.TRACEPARENT };
const parent = new W3CTraceContextPropagator().extract(context.active(), carrier, { get: (c, k) => c[k], keys: Object.keys });
const encodings = ["protobuf", "json"];
const logs = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor(new OTLPLogExporter())] });
const meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })] });
tracers.forEach((provider, index) => {
  const tracer = provider.getTracer("app");
  for (let number = 0; number < 50; number++) {
    const span = tracer.startSpan(`${encodings[index]} ${number}`, { attributes: { number, text: "grün", list: ["a", "b"], big: 2 ** 40 } }, parent);
    span.addEvent("seen", { half: 0.5 });
    if (number === 7) span.setStatus({ code: SpanStatusCode.ERROR, message: "seven" });
    if (number === 0) logs.getLogger("app").emit({ severityText: "WARN", body: `from ${encodings[index]}`, context: trace.setSpan(parent, span) });
    span.end();
  }
});
meters.getMeter("app").createCounter("orders").add(3);
await Promise.all([...tracers, logs, meters].map((each) => each.shutdown()));
