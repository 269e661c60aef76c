//! The routes of a slice: documented by themselves, and served once the services behind them are there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::tag::Tag;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::authentication::{Door, Gate, authenticate};
use super::health_section::{HealthDocument, HealthProperty};
use super::openapi::{self, Callers};
use super::upload::{Lane, UploadLimits};
use crate::domain::access::Role;

/// The routes of a slice, and what else the document says of it. `S` is what the handlers call.
pub struct Routes<S> {
    methods: Vec<(Callers, Lane, UtoipaMethodRouter<S>)>,
    tags: Vec<Tag>,
    health: Vec<HealthProperty>,
}

/// What the OpenAPI document says of a slice.
#[derive(Default)]
pub struct Document {
    pub(super) api: OpenApi,
    pub(super) tags: Vec<Tag>,
    pub(super) health: Vec<HealthProperty>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { methods: Vec::new(), tags: Vec::new(), health: Vec::new() }
    }

    /// A tag of the document.
    pub(super) fn tag(mut self, name: &str, about: &str) -> Self {
        let mut tag = Tag::new(name);
        tag.description = Some(about.to_owned());
        self.tags.push(tag);
        self
    }

    /// A section of `/health`.
    pub(super) fn health<T: HealthDocument>(mut self) -> Self {
        self.health.push(HealthProperty::of::<T>());
        self
    }

    /// Routes for anyone; what `routes!` makes.
    pub(super) fn anyone(self, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Callers::Anyone, Lane::Buffered, methods)
    }

    /// Routes for media servers, which show the hook secret.
    pub(super) fn media_servers(self, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Callers::MediaServers, Lane::Buffered, methods)
    }

    /// Routes of the management API; `resource` is what the audit log calls the things behind them.
    pub(super) fn management(self, resource: &'static str, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Callers::Management(resource), Lane::Buffered, methods)
    }

    /// The same in the streaming lane: their handlers take an [`Upload`](super::upload::Upload).
    #[cfg_attr(not(test), expect(dead_code, reason = "no route takes uploads yet"))]
    pub(super) fn uploads(
        self,
        resource: &'static str,
        methods: UtoipaMethodRouter<S>,
        limits: UploadLimits,
    ) -> Self {
        self.with(Callers::Management(resource), Lane::Streaming(limits), methods)
    }

    fn with(mut self, callers: Callers, lane: Lane, methods: UtoipaMethodRouter<S>) -> Self {
        self.methods.push((callers, lane, methods));
        self
    }

    /// What the OpenAPI document says of them.
    pub fn document(self) -> Document {
        let complete =
            |(callers, _, (schemas, mut paths, methods)): (Callers, Lane, UtoipaMethodRouter<S>)| {
                openapi::complete(&mut paths, callers);
                (schemas, paths, methods)
            };
        let router =
            self.methods.into_iter().map(complete).fold(OpenApiRouter::default(), OpenApiRouter::routes);
        Document { api: router.into_openapi(), tags: self.tags, health: self.health }
    }

    /// The routes over `state`; those of the management API behind `gate`.
    pub fn serve(self, state: S, gate: &Gate) -> Router {
        let protect =
            |(callers, lane, (schemas, mut paths, methods)): (Callers, Lane, UtoipaMethodRouter<S>)| {
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
