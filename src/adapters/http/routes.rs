//! The routes of a slice: documented by themselves, and served once the services behind them are there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::HttpMethod;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::authentication::{Door, Gate, authenticate};
use super::openapi::{self, Callers};
use super::upload::{Lane, UploadLimits};
use crate::domain::access::Role;

/// The routes of a slice, for one kind of callers. `S` is what their handlers call.
pub struct Routes<S> {
    callers: Callers,
    methods: Vec<(UtoipaMethodRouter<S>, Lane)>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn new(callers: Callers) -> Self {
        Self { callers, methods: Vec::new() }
    }

    /// Adds what `routes!` makes to the buffered lane: bodies are bounded and read as a whole.
    pub(super) fn with(mut self, methods: UtoipaMethodRouter<S>) -> Self {
        self.methods.push((methods, Lane::Buffered));
        self
    }

    /// Adds routes of the management API to the streaming lane: their handlers take an [`Upload`](super::upload::Upload).
    #[cfg_attr(not(test), expect(dead_code, reason = "no route takes uploads yet"))]
    pub(super) fn with_upload(mut self, methods: UtoipaMethodRouter<S>, limits: UploadLimits) -> Self {
        self.methods.push((methods, Lane::Streaming(limits)));
        self
    }

    /// What the OpenAPI document says of them.
    pub fn document(self) -> OpenApi {
        let methods = self.methods.into_iter().map(|(methods, _)| methods);
        let router = methods.fold(OpenApiRouter::default(), OpenApiRouter::routes);
        let mut document = router.into_openapi();
        openapi::complete(&mut document.paths, self.callers);
        document
    }

    /// The routes over `state`; those of the management API behind `gate`.
    pub fn serve(self, state: S, gate: &Gate) -> Router {
        let callers = self.callers;
        let protect = |((schemas, mut paths, methods), lane): (UtoipaMethodRouter<S>, Lane)| {
            let Callers::Management(resource) = callers else { return (schemas, paths, methods) };
            let roles = paths.paths.values_mut().flat_map(openapi::operations);
            let roles =
                roles.filter_map(|(method, operation)| Some((word(&method), openapi::role(operation)?)));
            let roles: HashMap<Method, Role> = roles.collect();
            let door = Door { gate: gate.clone(), resource, roles: Arc::new(roles), lane };
            // On the methods, not on the route: a method that is not there is told as such to anyone.
            (schemas, paths, methods.route_layer(from_fn_with_state(door, authenticate)))
        };
        let router =
            self.methods.into_iter().map(protect).fold(OpenApiRouter::default(), OpenApiRouter::routes);
        Router::from(router).with_state(state)
    }
}

fn word(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}
