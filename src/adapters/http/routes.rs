//! The routes of a slice. They can be documented without the services, and are served with them.

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
use super::openapi::{self, Audience};
use super::upload::{Lane, UploadLimits};
use crate::domain::access::Role;

/// The routes of a slice, with their documentation. `S` is the state of the handlers.
pub struct Routes<S> {
    methods: Vec<(Audience, Lane, UtoipaMethodRouter<S>)>,
    tags: Vec<Tag>,
    health: Vec<HealthProperty>,
}

/// The part of a slice in the OpenAPI document.
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

    /// Routes for anyone, from `routes!`.
    pub(super) fn anyone(self, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Audience::Anyone, Lane::Buffered, methods)
    }

    /// Routes for media servers, which need the hook secret.
    pub(super) fn media_servers(self, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Audience::MediaServers, Lane::Buffered, methods)
    }

    /// Routes of the management API; `resource` is their kind of resource in the audit log.
    pub(super) fn management(self, resource: &'static str, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Audience::Management(resource), Lane::Buffered, methods)
    }

    /// The same in the streaming lane: their handlers take an [`Upload`](super::upload::Upload).
    #[cfg_attr(not(test), expect(dead_code, reason = "no route takes uploads yet"))]
    pub(super) fn uploads(
        self,
        resource: &'static str,
        methods: UtoipaMethodRouter<S>,
        limits: UploadLimits,
    ) -> Self {
        self.with(Audience::Management(resource), Lane::Streaming(limits), methods)
    }

    fn with(mut self, audience: Audience, lane: Lane, methods: UtoipaMethodRouter<S>) -> Self {
        self.methods.push((audience, lane, methods));
        self
    }

    /// Their part of the OpenAPI document.
    pub fn document(self) -> Document {
        let complete =
            |(audience, _, (schemas, mut paths, methods)): (Audience, Lane, UtoipaMethodRouter<S>)| {
                openapi::complete(&mut paths, audience);
                (schemas, paths, methods)
            };
        let router =
            self.methods.into_iter().map(complete).fold(OpenApiRouter::default(), OpenApiRouter::routes);
        Document { api: router.into_openapi(), tags: self.tags, health: self.health }
    }

    /// The routes over `state`; those of the management API behind `gate`.
    pub fn serve(self, state: S, gate: &Gate) -> Router {
        let protect =
            |(audience, lane, (schemas, mut paths, methods)): (Audience, Lane, UtoipaMethodRouter<S>)| {
                let Audience::Management(resource) = audience else { return (schemas, paths, methods) };
                let roles = paths.paths.values_mut().flat_map(openapi::operations);
                let roles =
                    roles.filter_map(|(method, operation)| Some((word(&method), openapi::role(operation)?)));
                let roles: HashMap<Method, Role> = roles.collect();
                let door = Door { gate: gate.clone(), resource, roles: Arc::new(roles), lane };
                // On the methods, not on the route: 405 needs no authentication.
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
