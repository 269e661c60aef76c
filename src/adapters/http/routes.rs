//! The routes of a slice. They can be documented without the services, and are served with them.

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::tag::Tag;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::authentication::{Gate, RouteGuard, authenticate};
use super::health_section::{HealthDocument, HealthProperty};
use super::openapi::{self, Audience, Document};
use super::upload::{Lane, UploadLimits};
use crate::domain::access::Role;

/// The routes of a slice, with their documentation. `S` is the state of the handlers.
pub struct Routes<S> {
    tag: &'static str,
    about: Option<&'static str>,
    methods: Vec<(Audience, Lane, UtoipaMethodRouter<S>)>,
    health: Vec<HealthProperty>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet. The document lists them under `tag`.
    pub(super) fn new(tag: &'static str) -> Self {
        Self { tag, about: None, methods: Vec::new(), health: Vec::new() }
    }

    /// Describes the tag.
    pub(super) fn about(self, about: &'static str) -> Self {
        Self { about: Some(about), ..self }
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

    /// Routes of the management API for callers with `role`; `resource` is their kind of resource in the audit log.
    pub(super) fn management(
        self,
        role: Role,
        resource: &'static str,
        methods: UtoipaMethodRouter<S>,
    ) -> Self {
        self.with(Audience::Management(Some(role), resource), Lane::Buffered, methods)
    }

    /// The same for everybody who is authenticated, also without any role: for what is one's own.
    pub(super) fn for_all(self, resource: &'static str, methods: UtoipaMethodRouter<S>) -> Self {
        self.with(Audience::Management(None, resource), Lane::Buffered, methods)
    }

    /// The same in the streaming lane: their handlers take an [`Upload`](super::upload::Upload).
    pub(super) fn uploads(
        self,
        role: Role,
        resource: &'static str,
        methods: UtoipaMethodRouter<S>,
        limits: UploadLimits,
    ) -> Self {
        self.with(Audience::Management(Some(role), resource), Lane::Streaming(limits), methods)
    }

    fn with(mut self, audience: Audience, lane: Lane, methods: UtoipaMethodRouter<S>) -> Self {
        self.methods.push((audience, lane, methods));
        self
    }

    /// Their part of the OpenAPI document.
    pub fn document(self) -> Document {
        let mut router = OpenApiRouter::default();
        for (audience, _, (schemas, mut paths, methods)) in self.methods {
            openapi::complete(&mut paths, self.tag, audience);
            router = router.routes((schemas, paths, methods));
        }
        let tag = self.about.map(|about| {
            let mut tag = Tag::new(self.tag);
            tag.description = Some(about.to_owned());
            tag
        });
        Document { api: router.into_openapi(), tag, health: self.health }
    }

    /// The routes over `state`; those of the management API behind `gate`.
    pub fn into_router(self, state: S, gate: &Gate) -> Router {
        let mut router = OpenApiRouter::default();
        for (audience, lane, (schemas, mut paths, mut methods)) in self.methods {
            if let Audience::Management(role, resource) = audience {
                let operations = paths.paths.values_mut().flat_map(openapi::operations);
                let operations: Vec<_> = operations.map(|(_, operation)| operation).collect();
                let takes_body = operations.iter().any(|operation| operation.request_body.is_some());
                let takes_query = operations.iter().all(|operation| {
                    let parameters = operation.parameters.as_deref().unwrap_or_default();
                    parameters.iter().any(|parameter| matches!(parameter, RefOr::T(it) if it.parameter_in == ParameterIn::Query))
                });
                let largest_body = RouteGuard::largest_body(takes_body);
                let guard =
                    RouteGuard { gate: gate.clone(), resource, role, takes_query, largest_body, lane };
                // On the methods, not on the route: 405 needs no authentication.
                methods = methods.route_layer(from_fn_with_state(guard, authenticate));
            } else if audience == Audience::Anyone {
                methods = methods.route_layer(Extension(gate.unproven_bodies()));
            }
            router = router.routes((schemas, paths, methods));
        }
        Router::from(router).with_state(state)
    }
}
