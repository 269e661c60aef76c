//! An OTLP receiver on loopback that decodes what is pushed to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::task::JoinSet;

/// What has arrived so far. Stops when it is dropped.
pub(crate) struct OtlpReceiver {
    address: SocketAddr,
    got: Arc<Mutex<Got>>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    metrics: Vec<Metric>,
    resource: BTreeMap<String, String>,
}

type Shared = Arc<Mutex<Got>>;

impl OtlpReceiver {
    /// Listens on a free port of loopback.
    pub(crate) async fn start() -> Self {
        let got = Shared::default();
        let router = axum::Router::new()
            .route("/v1/traces", post(take_spans))
            .route("/v1/metrics", post(take_metrics))
            .with_state(Arc::clone(&got));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { address, got, _task: task }
    }

    /// The value for `otel.endpoint`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The names from the root down to the first span called `name`, or nothing when no such span arrived.
    pub(crate) fn path_to(&self, name: &str) -> Vec<String> {
        self.paths_to(name).into_iter().next().unwrap_or_default()
    }

    /// The names from the root down to each span called `name`.
    pub(crate) fn paths_to(&self, name: &str) -> Vec<Vec<String>> {
        let got = self.got.lock().expect("not poisoned");
        let named = got.spans.iter().filter(|span| span.name == name);
        named.map(|span| names_down_to(span, &got.spans)).collect()
    }

    /// The attributes of the process that pushed.
    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        self.got.lock().expect("not poisoned").resource.get(key).cloned()
    }

    /// The newest value of a counter or gauge with exactly these labels.
    pub(crate) fn number(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let got = self.got.lock().expect("not poisoned");
        let points = got.metrics.iter().rev().filter(|metric| metric.name == name).flat_map(|metric| {
            match metric.data.as_ref() {
                Some(Data::Sum(sum)) => sum.data_points.clone(),
                Some(Data::Gauge(gauge)) => gauge.data_points.clone(),
                _ => Vec::new(),
            }
        });
        points.into_iter().find(|point| same(&point.attributes, labels)).and_then(|p| match p.value? {
            number_data_point::Value::AsDouble(value) => Some(value),
            number_data_point::Value::AsInt(value) => Some(value as f64),
        })
    }

    /// Count, sum and bucket bounds of a histogram, as last pushed.
    pub(crate) fn histogram(&self, name: &str) -> Option<(u64, f64, Vec<f64>)> {
        let got = self.got.lock().expect("not poisoned");
        let metric = got.metrics.iter().rev().find(|metric| metric.name == name)?;
        let Some(Data::Histogram(histogram)) = metric.data.as_ref() else {
            return None;
        };
        let point = histogram.data_points.first()?;
        Some((point.count, point.sum?, point.explicit_bounds.clone()))
    }
}

async fn take_spans(State(got): State<Shared>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut got = got.lock().expect("not poisoned");
    for resource in request.resource_spans {
        got.resource.extend(text(&resource.resource.unwrap_or_default().attributes));
        got.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    StatusCode::OK
}

async fn take_metrics(State(got): State<Shared>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut got = got.lock().expect("not poisoned");
    for resource in request.resource_metrics {
        got.metrics.extend(resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics));
    }
    StatusCode::OK
}

fn text(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes
        .iter()
        .filter_map(|pair| match pair.value.as_ref()?.value.as_ref()? {
            Value::StringValue(value) => Some((pair.key.clone(), value.clone())),
            _ => None,
        })
        .collect()
}

fn same(attributes: &[KeyValue], labels: &[(&str, &str)]) -> bool {
    text(attributes) == labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn names_down_to(span: &Span, all: &[Span]) -> Vec<String> {
    let above =
        |of: &Span| all.iter().find(|one| one.trace_id == of.trace_id && one.span_id == of.parent_span_id);
    let mut path = vec![span.name.clone()];
    let mut at = span;
    while let Some(parent) = above(at) {
        path.insert(0, parent.name.clone());
        at = parent;
    }
    path
}
