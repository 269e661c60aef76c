//! Bridges the `metrics` macros to OpenTelemetry instruments of the same names. The crate `metrics-exporter-otel` does the
//! same for an older OpenTelemetry.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_util::registry::{Registry, Storage};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// Upper bounds, in seconds, of the buckets of every histogram whose name ends in `_seconds`.
pub const SECONDS_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The suffix of the name of a histogram of seconds.
pub(super) const SECONDS_SUFFIX: &str = "_seconds";

/// A recorder for an OpenTelemetry meter.
#[derive(Debug)]
pub struct OtelRecorder {
    registry: Registry<Key, Instruments>,
    help: Arc<Help>,
}

impl OtelRecorder {
    /// Records into instruments made by `meter`.
    #[must_use]
    pub fn new(meter: Meter) -> Self {
        let help = Arc::new(Help::default());
        Self { registry: Registry::new(Instruments { meter, help: Arc::clone(&help) }), help }
    }
}

impl Recorder for OtelRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.help.set(&name, unit, text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.help.set(&name, unit, text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.help.set(&name, unit, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.registry.get_or_create_counter(key, |cell| Counter::from_arc(Arc::clone(cell)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.registry.get_or_create_gauge(key, |cell| Gauge::from_arc(Arc::clone(cell)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.registry.get_or_create_histogram(key, |samples| Histogram::from_arc(Arc::clone(samples)))
    }
}

/// Descriptions and units by name. They come before the first value of that name.
#[derive(Debug, Default)]
struct Help(RwLock<HashMap<String, (Option<Unit>, SharedString)>>);

impl Help {
    fn set(&self, name: &KeyName, unit: Option<Unit>, text: SharedString) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.as_str().to_owned(), (unit, text));
    }

    /// The unit in UCUM notation, and the description. Empty if there is none.
    fn of(&self, name: &str) -> (&'static str, String) {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(name).map_or(("", String::new()), |(unit, text)| (ucum(*unit), text.to_string()))
    }
}

/// The notation that OpenTelemetry uses, see <https://ucum.org>.
fn ucum(unit: Option<Unit>) -> &'static str {
    match unit {
        Some(Unit::Seconds) => "s",
        Some(Unit::Milliseconds) => "ms",
        Some(Unit::Microseconds) => "us",
        Some(Unit::Bytes) => "By",
        Some(Unit::Percent) => "%",
        Some(Unit::BitsPerSecond) => "bit/s",
        Some(Unit::Count) => "1",
        _ => "",
    }
}

/// Creates one cell for each name and label set. A counter or gauge is an atomic that the meter reads when it collects.
#[derive(Debug)]
struct Instruments {
    meter: Meter,
    help: Arc<Help>,
}

impl Storage<Key> for Instruments {
    type Counter = Arc<AtomicU64>;
    type Gauge = Arc<AtomicU64>;
    type Histogram = Arc<Samples>;

    fn counter(&self, key: &Key) -> Self::Counter {
        let cell = Arc::new(AtomicU64::new(0));
        let (unit, text) = self.help.of(key.name());
        let (read, labels) = (Arc::clone(&cell), labels(key));
        // The meter keeps the callback; the handle is not needed.
        let _handle = self
            .meter
            .u64_observable_counter(key.name().to_owned())
            .with_unit(unit)
            .with_description(text)
            .with_callback(move |to| to.observe(read.load(Ordering::Acquire), &labels))
            .build();
        cell
    }

    fn gauge(&self, key: &Key) -> Self::Gauge {
        let cell = Arc::new(AtomicU64::new(0));
        let (unit, text) = self.help.of(key.name());
        let (read, labels) = (Arc::clone(&cell), labels(key));
        let _handle = self
            .meter
            .f64_observable_gauge(key.name().to_owned())
            .with_unit(unit)
            .with_description(text)
            .with_callback(move |to| to.observe(f64::from_bits(read.load(Ordering::Acquire)), &labels))
            .build();
        cell
    }

    fn histogram(&self, key: &Key) -> Self::Histogram {
        let (unit, text) = self.help.of(key.name());
        let mut builder =
            self.meter.f64_histogram(key.name().to_owned()).with_unit(unit).with_description(text);
        if key.name().ends_with(SECONDS_SUFFIX) {
            builder = builder.with_boundaries(SECONDS_BUCKETS.to_vec());
        }
        Arc::new(Samples { histogram: builder.build(), labels: labels(key) })
    }
}

/// A histogram with the labels of one key.
#[derive(Debug)]
struct Samples {
    histogram: opentelemetry::metrics::Histogram<f64>,
    labels: Vec<KeyValue>,
}

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.histogram.record(value, &self.labels);
    }
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels().map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned())).collect()
}
