//! The OpenAPI document (3.1.0). Its paths come from the router; this file adds the parts that operations share.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{
    Components, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{
    Content, ContentBuilder, InfoBuilder, OpenApi, Paths, Ref, RefOr, Required, Response, ResponseBuilder,
    ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};

use super::health_section::HealthProperty;
use super::problem::{FieldProblem, PROBLEM_JSON, ProblemBody, ProblemType};
use crate::domain::access::Role;

const ABOUT: &str = "The control plane beside a MediaMTX media server: who may publish, what is live, and events \
                     about both.\n\nTimes are RFC 3339 in UTC. Absent values are left out, except in the audit log. \
                     Every error is `application/problem+json` (RFC 9457); its `type` links to a description. Unknown \
                     names in bodies and queries are refused; only `/auth` and the hooks ignore them.";

/// The part of a slice in the OpenAPI document.
#[derive(Default)]
pub struct Document {
    pub(super) api: OpenApi,
    pub(super) tag: Option<Tag>,
    pub(super) health: Vec<HealthProperty>,
}

/// The document of these slices, for people and machines, of a server that is reached below `base_path`. Without one it is
/// the same text as `openapi/streamward.json`.
pub fn openapi_json(slices: impl IntoIterator<Item = Document>, base_path: &str) -> String {
    let mut document = OpenApi::default();
    let (mut tags, mut health) = (Vec::new(), Vec::new());
    for slice in slices {
        document.merge(slice.api);
        tags.extend(slice.tag);
        health.extend(slice.health);
    }
    health.into_iter().for_each(|property| property.add_to(&mut document, "HealthReport"));
    document.tags = Some(tags);
    describe(&mut document, base_path);
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The list of problems; the same text as `openapi/problems.json`.
pub fn problems_json() -> String {
    let mut text = serde_json::to_string_pretty(&ProblemType::all()).unwrap_or_default();
    text.push('\n');
    text
}

/// Who may call the operations of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Anyone.
    Anyone,
    /// Media servers with the hook secret.
    MediaServers,
    /// Clients of the management API with this role, or, without one, all who are authenticated; with the kind of resource
    /// for the audit log.
    Management(Option<Role>, &'static str),
}

/// The rule for names in a path.
const NAME: &str = "^[0-9A-Za-z_-]{1,50}$";

/// The names of the ids in a path.
fn ids_in(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.filter(|name| *name == "id" || name.ends_with("_id"))
}

/// Completes operations: their tag, who may call them, and which problems they can have.
pub(super) fn complete(paths: &mut Paths, tag: &str, audience: Audience) {
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            operation.tags = Some(vec![tag.to_owned()]);
            if audience != Audience::Anyone {
                operation.security = Some(security(audience));
            }
            if let Audience::Management(role, _) = audience {
                describe_role(operation, role);
            }
            for name in ids_in(path).rev() {
                let uuid = ObjectBuilder::new().schema_type(Type::String);
                let uuid = uuid.format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
                let id = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
                let id = id.required(Required::True).schema(Some(uuid));
                operation.parameters.get_or_insert_default().insert(0, id.build().into());
            }
            if path.contains("{name}") {
                let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some(NAME));
                let in_path = ParameterBuilder::new().name("name").parameter_in(ParameterIn::Path);
                let in_path = in_path.required(Required::True).schema(Some(name));
                operation.parameters.get_or_insert_default().insert(0, in_path.build().into());
            }
            for kind in possible(&method, path, operation, audience) {
                add_problem(operation, kind);
            }
            let is_list = operation.parameters.iter().flatten().any(|it| named(it, "cursor"));
            if is_list {
                add_entity_tag(operation);
            }
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if status.starts_with('4') || status.starts_with('5') {
                    response.content.insert(PROBLEM_JSON.to_owned(), problem_content().into());
                } else if response.description.is_empty() {
                    response.description = "Done".to_owned();
                }
            }
        }
    }
}

/// Adds everything but the paths.
fn describe(document: &mut OpenApi, base_path: &str) {
    document.info = InfoBuilder::new()
        .title("Streamward")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(utoipa::openapi::LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    let server = if base_path.is_empty() { "/" } else { base_path };
    document.servers = Some(vec![ServerBuilder::new().url(server).build()]);
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".into(), problem_schema());
    components.schemas.insert("FieldProblem".into(), FieldProblem::schema());
    components.schemas.insert("ProblemType".into(), ProblemType::schema());
    components.schemas.values_mut().for_each(say_text_rule);
    let schemas = json!(components.schemas);
    let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        note_schemas(&json!(operation.request_body), &schemas, &mut asked);
        note_schemas(&json!(operation.responses), &schemas, &mut answered);
    }
    for (name, schema) in &mut components.schemas {
        if !asked.contains(name) || answered.contains(name) {
            say_absent_rule(schema);
        }
    }
    for (name, scheme) in schemes() {
        components.security_schemes.insert(name.to_owned(), scheme.into());
    }
}

/// The rule for short texts, see [`text`](crate::domain::invalid::text): not blank, no control characters.
const TEXT: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";

fn say_text_rule(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for property in object.properties.values_mut() {
        if let RefOr::T(Schema::Object(text)) = property
            && text.min_length == Some(1)
            && text.pattern.is_none()
        {
            text.pattern = Some(TEXT.to_owned());
        }
    }
}

/// Adds the names of the schemas that `part` refers to, also through others.
fn note_schemas(part: &Value, schemas: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| note_schemas(part, schemas, found)),
        Value::Object(parts) => {
            for (name, part) in parts {
                let reference = part.as_str().filter(|_| name == "$ref");
                match reference.and_then(|place| place.rsplit('/').next()) {
                    Some(name) if found.insert(name.to_owned()) => {
                        note_schemas(&schemas[name], schemas, found);
                    }
                    Some(_) => {}
                    None => note_schemas(part, schemas, found),
                }
            }
        }
        _ => {}
    }
}

/// The rule for answers: a value that may be absent is never `null`.
fn say_absent_rule(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter_mut().for_each(say_absent_rule),
        RefOr::T(Schema::Object(object)) => {
            for (name, property) in &mut object.properties {
                if !object.required.contains(name) {
                    remove_null(property);
                }
            }
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

fn remove_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &object.schema_type {
                let other = types.iter().find(|kind| **kind != Type::Null);
                object.schema_type = other.cloned().map_or(SchemaType::AnyValue, SchemaType::Type);
            }
        }
        RefOr::T(Schema::OneOf(either)) => {
            let reference = either.items.iter().find_map(|item| match item {
                RefOr::Ref(reference) => Some(reference.clone()),
                RefOr::T(_) => None,
            });
            if let Some(mut reference) = reference {
                if let Some(about) = either.description.take() {
                    reference.description = about;
                }
                *schema = RefOr::Ref(reference);
            }
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

fn problem_schema() -> RefOr<Schema> {
    let mut schema = ProblemBody::<'static>::schema();
    // The list of problem types is part of the contract.
    if let RefOr::T(Schema::Object(object)) = &mut schema
        && let Some(RefOr::T(Schema::Object(kind))) = object.properties.get_mut("type")
    {
        let all = ProblemType::all().into_iter().map(|kind| kind.reference.into());
        kind.enum_values = Some(all.collect());
    }
    schema
}

fn problem_content() -> Content {
    let name = <ProblemBody<'static> as ToSchema>::name();
    ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build()
}

/// Adds the role, for people and machines.
fn describe_role(operation: &mut Operation, role: Option<Role>) {
    let about = operation.description.as_deref().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let Some(role) = role else {
        operation.description = Some(format!("{about}No role is needed."));
        return;
    };
    operation.description = Some(format!("{about}Role: {role}."));
    operation.extensions = Some(ExtensionsBuilder::new().add("x-role", role.as_str()).build());
}

pub(super) fn operations(item: &mut PathItem) -> Vec<(HttpMethod, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, head, options, .. } = item;
    [
        (HttpMethod::Get, get),
        (HttpMethod::Post, post),
        (HttpMethod::Put, put),
        (HttpMethod::Patch, patch),
        (HttpMethod::Delete, delete),
        (HttpMethod::Head, head),
        (HttpMethod::Options, options),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
    .collect()
}

/// The problems that an operation can have because of its kind.
fn possible(
    method: &HttpMethod,
    path: &str,
    operation: &Operation,
    audience: Audience,
) -> Vec<&'static ProblemType> {
    use ProblemType as P;
    let mut kinds = vec![P::INTERNAL];
    if audience == Audience::Anyone {
        return kinds;
    }
    kinds.extend([P::VALIDATION, P::UNAUTHENTICATED, P::REQUEST_TIMEOUT, P::TOO_LARGE, P::UNAVAILABLE]);
    if let Audience::Management(..) = audience {
        kinds.extend([P::FORBIDDEN, P::TIMEOUT]);
        if !matches!(method, HttpMethod::Get | HttpMethod::Head) {
            kinds.push(P::REPLAYED);
        }
        if path.contains("{id}") || path.contains("{name}") {
            kinds.push(P::NOT_FOUND);
        }
        if operation.request_body.is_some() {
            kinds.push(P::UNSUPPORTED_MEDIA_TYPE);
        }
    }
    kinds
}

fn named(parameter: &RefOr<Parameter>, name: &str) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.name == name)
}

/// Lists have an entity tag (see [`super::list`]).
fn add_entity_tag(operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let known = ParameterBuilder::new().name("If-None-Match").parameter_in(ParameterIn::Header);
    let known = known.description(Some("The `ETag` of an answer that the client has"));
    operation.parameters.get_or_insert_default().push(known.schema(Some(text())).build().into());
    let tag = HeaderBuilder::new().schema(Some(text()));
    let tag = tag.description(Some("Of this answer. Absent if the answer has more than 1 MiB")).build();
    if let Some(RefOr::T(found)) = operation.responses.responses.get_mut("200") {
        found.headers.insert("ETag".to_owned(), tag.into());
    }
    let unchanged = ResponseBuilder::new().description("The client has this answer").build();
    operation.responses.responses.insert("304".to_owned(), RefOr::T(unchanged));
}

fn add_problem(operation: &mut Operation, kind: &ProblemType) {
    let status = kind.status().as_str().to_owned();
    let note = format!("`{}`: {}", kind.slug, kind.title);
    let response = operation
        .responses
        .responses
        .entry(status)
        .or_insert_with(|| RefOr::T(ResponseBuilder::new().build()));
    if let RefOr::T(Response { description, .. }) = response {
        let comma = if description.is_empty() { "" } else { "; " };
        description.push_str(&format!("{comma}{note}"));
    }
}

fn security(audience: Audience) -> Vec<SecurityRequirement> {
    let none = || -> [&str; 0] { [] };
    match audience {
        Audience::Anyone => vec![],
        Audience::MediaServers => {
            ["hook_basic", "hook_bearer", "hook_query"].map(|s| SecurityRequirement::new(s, none())).into()
        }
        Audience::Management(..) => vec![
            SecurityRequirement::new("bearer", none()),
            SecurityRequirement::new("api_key", none()),
            SecurityRequirement::new("signature_key_id", none())
                .add("signature_timestamp", none())
                .add("signature", none()),
            SecurityRequirement::new("session", none()),
        ],
    }
}

fn schemes() -> Vec<(&'static str, SecurityScheme)> {
    let http = |scheme: HttpAuthScheme, about: &str| {
        let mut http = Http::new(scheme);
        http.description = Some(about.to_owned());
        SecurityScheme::Http(http)
    };
    let header = |name: &str, about: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, about)))
    };
    let query = ApiKey::Query(ApiKeyValue::with_description(
        "secret",
        "The hook secret, for clients that cannot set headers.",
    ));
    vec![
        ("bearer", http(HttpAuthScheme::Bearer, "An API token, `swt_…`.")),
        ("api_key", header("X-API-Key", "The same API token in another header.")),
        ("signature_key_id", header("X-API-Key", "The id of the signing secret, or only a label.")),
        ("signature_timestamp", header("X-Timestamp", "Unix seconds, within 300 of the server's clock.")),
        (
            "signature",
            header(
                "X-Signature",
                "`hex(HMAC-SHA256(secret, METHOD \"\\n\" PATH \"\\n\" TIMESTAMP \"\\n\" BODY))`; the path without the \
                 query, the body as it is sent (empty if none). A signed caller is an admin. A signed write is \
                 obeyed once.",
            ),
        ),
        (
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "streamward_session",
                "The cookie of somebody who signed in (`POST /session`). Writes also need the header `Origin` with the \
                 address of this server.",
            ))),
        ),
        ("hook_basic", http(HttpAuthScheme::Basic, "Any user, the hook secret as the password.")),
        ("hook_bearer", http(HttpAuthScheme::Bearer, "The hook secret.")),
        ("hook_query", SecurityScheme::ApiKey(query)),
        ("metrics_token", http(HttpAuthScheme::Bearer, "`metrics.token`, if it is set.")),
    ]
}
