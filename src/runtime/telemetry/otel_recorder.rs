//! Bridges the `metrics` macros to OpenTelemetry instruments of the same names. The crate `metrics-exporter-otel` does the
//! same for an older OpenTelemetry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_util::registry::{Registry, Storage};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::buckets::of;
use super::descriptions::help;

/// A recorder for an OpenTelemetry meter.
pub(super) struct OtelRecorder(Registry<Key, Instruments>);

impl OtelRecorder {
    /// Records into instruments made by `meter`.
    pub(super) fn new(meter: Meter) -> Self {
        Self(Registry::new(Instruments(meter)))
    }
}

/// Instruments take their descriptions from `descriptions.rs`.
impl Recorder for OtelRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.0.get_or_create_counter(key, |cell| Counter::from_arc(Arc::clone(cell)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.0.get_or_create_gauge(key, |cell| Gauge::from_arc(Arc::clone(cell)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.0.get_or_create_histogram(key, |samples| Histogram::from_arc(Arc::clone(samples)))
    }
}

/// Creates one cell for each name and label set. A counter or gauge is an atomic that the meter reads when it collects.
struct Instruments(Meter);

impl Storage<Key> for Instruments {
    type Counter = Arc<AtomicU64>;
    type Gauge = Arc<AtomicU64>;
    type Histogram = Arc<Samples>;

    fn counter(&self, key: &Key) -> Self::Counter {
        let cell = Arc::new(AtomicU64::new(0));
        let (read, labels) = (Arc::clone(&cell), labels(key));
        let observe = move |to: &dyn AsyncInstrument<u64>| to.observe(read.load(Ordering::Acquire), &labels);
        // The meter keeps the callback; the handle is not needed.
        let builder = self.0.u64_observable_counter(key.name().to_owned());
        let _handle = builder.with_description(described(key)).with_callback(observe).build();
        cell
    }

    fn gauge(&self, key: &Key) -> Self::Gauge {
        let cell = Arc::new(AtomicU64::new(0));
        let (read, labels) = (Arc::clone(&cell), labels(key));
        let observe = move |to: &dyn AsyncInstrument<f64>| {
            to.observe(f64::from_bits(read.load(Ordering::Acquire)), &labels);
        };
        let builder = self.0.f64_observable_gauge(key.name().to_owned());
        let _handle = builder.with_description(described(key)).with_callback(observe).build();
        cell
    }

    fn histogram(&self, key: &Key) -> Self::Histogram {
        let mut builder = self.0.f64_histogram(key.name().to_owned()).with_description(described(key));
        if let Some(bounds) = of(key.name()) {
            builder = builder.with_boundaries(bounds.to_vec());
        }
        Arc::new(Samples { histogram: builder.build(), labels: labels(key) })
    }
}

/// A histogram with the labels of one key.
struct Samples {
    histogram: opentelemetry::metrics::Histogram<f64>,
    labels: Vec<KeyValue>,
}

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.histogram.record(value, &self.labels);
    }
}

fn described(key: &Key) -> &'static str {
    help(key.name()).unwrap_or_default()
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels().map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned())).collect()
}
