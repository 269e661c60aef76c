//! What each operation of the API does for the owner of a resource, for another organization, and for the installation.

use streamward::domain::access::Role;
use streamward::domain::access::Role::{Admin, Operator, Viewer};

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// All resources that the caller may see.
    List,
    /// A new resource: of the caller's organization.
    Creation,
    /// One resource, or what belongs to it: it does not exist for other organizations.
    One,
    /// What the query names: what others own does not exist in the answer.
    Question,
    /// Changes, as they happen: of what the caller may see.
    Events,
    /// Those of the caller that fit. The answer does not name them.
    Several,
    /// What belongs to no organization: only for callers of the whole installation.
    Installation,
    /// A person: for administrators of the installation, and for the person. It does not exist for all others.
    Person,
}

/// An operation of the API: what it is about, the lowest role, a body, and the answer to who may call it.
pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) about: About,
    /// `None`: everybody who is authenticated.
    pub(super) role: Option<Role>,
    pub(super) body: &'static str,
    pub(super) status: u16,
}

const fn row(operation: &'static str, about: About, role: Role, body: &'static str, status: u16) -> Row {
    Row { operation, about, role: Some(role), body, status }
}

/// One for what is one's own: no role is needed.
const fn own(operation: &'static str, about: About, body: &'static str, status: u16) -> Row {
    Row { operation, about, role: None, body, status }
}

use About::{Creation, Events, Installation, List, One, Person, Question, Several};

/// Every operation of the management API. `{broadcaster}` in a body is a broadcaster of the owner.
pub(super) const ROWS: &[Row] = &[
    row("GET /events", Events, Viewer, "", 200),
    row("GET /event-log", List, Viewer, "", 200),
    // Without a path.
    row("GET /explain", Question, Operator, "", 400),
    row("GET /streams/{id}/samples", One, Viewer, "", 200),
    row("GET /doctor", Installation, Operator, "", 200),
    row("GET /configuration", Installation, Admin, "", 200),
    row("GET /auth-failures", List, Operator, "", 200),
    row("GET /organizations", Installation, Admin, "", 200),
    row("POST /organizations", Installation, Admin, r#"{"name": "{unique}"}"#, 201),
    row("GET /organizations/{id}", Installation, Admin, "", 200),
    row("PATCH /organizations/{id}", Installation, Admin, r#"{"name": "{unique}"}"#, 200),
    row("DELETE /organizations/{id}", Installation, Admin, "", 204),
    row("GET /users", Installation, Admin, "", 200),
    row("POST /users", Installation, Admin, r#"{"email": "{unique}@example.org"}"#, 201),
    own("GET /users/{id}", Person, "", 200),
    row("PATCH /users/{id}", Installation, Admin, r#"{"display_name": "Ada"}"#, 200),
    row("DELETE /users/{id}", Installation, Admin, "", 204),
    own("POST /users/{id}/password", Person, r#"{"password": "correct horse battery"}"#, 204),
    row("POST /users/{id}/link", Installation, Admin, "", 201),
    row("POST /setup-links", Installation, Admin, "", 201),
    own("GET /users/{id}/sessions", Person, "", 200),
    own("DELETE /users/{id}/sessions", Person, "", 204),
    // There is no such session.
    own("DELETE /users/{id}/sessions/{session_id}", Person, "", 404),
    // A second factor is made by the person only.
    own("POST /users/{id}/second-factor", Person, "{}", 404),
    own("POST /users/{id}/second-factor/confirm", Person, r#"{"code": "1"}"#, 404),
    // There is none.
    own("POST /users/{id}/second-factor/remove", Person, "{}", 409),
    own("GET /session", List, "", 200),
    row("GET /media-servers", Installation, Viewer, "", 200),
    row("GET /tasks", Installation, Operator, "", 200),
    row("GET /api-tokens", List, Admin, "", 200),
    row("POST /api-tokens", Creation, Admin, r#"{"name": "x", "role": "viewer"}"#, 201),
    row("DELETE /api-tokens/{id}", One, Admin, "", 204),
    row("GET /audit-logs", List, Admin, "", 200),
    row("POST /audit-events", Creation, Admin, r#"{"event_type": "login"}"#, 201),
    row("GET /broadcasters", List, Viewer, "", 200),
    row("POST /broadcasters", Creation, Admin, r#"{"display_name": "Bob"}"#, 201),
    row("GET /broadcasters/{id}", One, Viewer, "", 200),
    row("PATCH /broadcasters/{id}", One, Admin, r#"{"display_name": "Carol"}"#, 200),
    row("DELETE /broadcasters/{id}", One, Admin, "", 204),
    row("GET /stream-keys", List, Viewer, "", 200),
    row("POST /stream-keys", One, Admin, r#"{"broadcaster_id": "{broadcaster}"}"#, 201),
    row("GET /stream-keys/{id}", One, Viewer, "", 200),
    row("DELETE /stream-keys/{id}", One, Admin, "", 204),
    row("POST /stream-keys/{id}/rotate", One, Admin, "", 200),
    row("PATCH /stream-keys/{id}", One, Admin, r#"{"playback_access": "token"}"#, 200),
    row("GET /playback-tokens", List, Operator, "", 200),
    row("POST /playback-tokens", Creation, Operator, r#"{"paths": ["live/*"], "ttl_seconds": 60}"#, 201),
    // No path is given. Whose tokens it revokes: `operator_of_an_organization_opens_its_streams_only`.
    row("DELETE /playback-tokens", Several, Operator, "", 400),
    row("DELETE /playback-tokens/{id}", One, Operator, "", 204),
    row("POST /playback-keys/rotate", Installation, Admin, "{}", 200),
    row("GET /streams", List, Viewer, "", 200),
    row("GET /streams/events", Events, Viewer, "", 200),
    row("GET /streams/{id}", One, Viewer, "", 200),
    row("DELETE /streams/{id}", One, Operator, "", 204),
    row("GET /streamers", List, Viewer, "", 200),
    row("POST /streamers", Creation, Admin, r#"{"username": "{unique}"}"#, 201),
    row("GET /streamers/events", Events, Viewer, "", 200),
    row("GET /streamers/{id}", One, Viewer, "", 200),
    row("PATCH /streamers/{id}", One, Admin, r#"{"display_name": "x"}"#, 200),
    row("DELETE /streamers/{id}", One, Admin, "", 204),
    row("GET /streamers/{id}/events", One, Viewer, "", 200),
    row("GET /notifications", List, Operator, "", 200),
    row(
        "POST /notifications",
        Creation,
        Admin,
        r#"{"name": "x", "kind": "webhook", "target": "https://example.org/hook"}"#,
        201,
    ),
    row("GET /notifications/{id}", One, Operator, "", 200),
    row("PATCH /notifications/{id}", One, Admin, r#"{"severity": "warning"}"#, 200),
    row("DELETE /notifications/{id}", One, Admin, "", 204),
    row("POST /notifications/{id}/test", One, Operator, "", 200),
    row("POST /notifications/{id}/rotate-secret", One, Admin, "", 200),
    row("GET /notifications/{id}/deliveries", One, Operator, "", 200),
    row("POST /notifications/{id}/deliveries/replay", One, Admin, "", 200),
    // There is no such message.
    row("POST /notifications/{id}/deliveries/{delivery_id}/replay", One, Admin, "", 404),
    row("GET /channels", List, Viewer, "", 200),
    row("POST /channels", Creation, Admin, r#"{"name": "{unique}"}"#, 201),
    row("GET /channels/events", Events, Viewer, "", 200),
    row("GET /channels/{id}", One, Viewer, "", 200),
    row("PATCH /channels/{id}", One, Admin, r#"{"enabled": false}"#, 200),
    row("DELETE /channels/{id}", One, Admin, "", 204),
    row("GET /channels/{id}/status", One, Viewer, "", 200),
    row("POST /channels/{id}/mode", One, Operator, r#"{"mode": "slate", "reason": "x"}"#, 200),
    row("GET /channels/{id}/decisions", One, Viewer, "", 200),
    // The channel does not run.
    row("POST /channels/{id}/rehearsals", One, Operator, r#"{"cut_live_for_seconds": 1}"#, 409),
    row("GET /channels/{id}/rehearsals/{rehearsal_id}", One, Viewer, "", 200),
    row("GET /channels/{id}/destinations", One, Viewer, "", 200),
    row(
        "POST /channels/{id}/destinations",
        One,
        Admin,
        r#"{"name": "x", "platform": "twitch", "key": "k"}"#,
        201,
    ),
    row("GET /channels/{id}/destinations/{destination_id}", One, Viewer, "", 200),
    row("PATCH /channels/{id}/destinations/{destination_id}", One, Admin, r#"{"enabled": false}"#, 200),
    row("DELETE /channels/{id}/destinations/{destination_id}", One, Admin, "", 204),
    // This instance has nothing that could test it.
    row("POST /channels/{id}/destinations/{destination_id}/test", One, Operator, "", 501),
    row("GET /clips", List, Viewer, "", 200),
    row("POST /clips", Creation, Operator, "", 201),
    row("GET /clips/{id}", One, Viewer, "", 200),
    row("HEAD /clips/{id}", One, Operator, "", 200),
    row("PATCH /clips/{id}", One, Operator, "hello", 204),
    // The method override says DELETE.
    row("POST /clips/{id}", One, Operator, "", 204),
    row("DELETE /clips/{id}", One, Operator, "", 204),
    row("GET /studios", List, Viewer, "", 200),
    row("GET /studios/events", Events, Viewer, "", 200),
    row("GET /studios/{name}", One, Viewer, "", 200),
    row("POST /studios/{name}/start", One, Operator, r#"{"reason": "x"}"#, 200),
    row("POST /studios/{name}/stop", One, Operator, r#"{"reason": "x"}"#, 200),
    row("POST /studios/{name}/hold", One, Operator, r#"{"reason": "x"}"#, 200),
    row("POST /studios/{name}/release", One, Operator, r#"{"reason": "x"}"#, 200),
    row("POST /studios/{name}/scene", One, Operator, r#"{"scene": "owner", "reason": "x"}"#, 200),
    row("GET /studios/{name}/schedule", One, Viewer, "", 200),
    row("PUT /studios/{name}/schedule", One, Admin, r#"{"reason": "x"}"#, 200),
    row("GET /studios/{name}/schedule/preview", One, Viewer, "", 200),
    // It is not on air.
    row("GET /studios/{name}/health", One, Viewer, "", 503),
    row("GET /studios/{name}/health/metrics", One, Viewer, "", 200),
    row("GET /studios/{name}/health/uptime", One, Viewer, "", 200),
    row("GET /studios/{name}/analytics/failover", One, Viewer, "", 200),
    row("GET /studios/{name}/analytics/transitions", One, Viewer, "", 200),
    row("GET /studios/{name}/content-library", One, Viewer, "", 200),
    row("GET /studios/{name}/decisions", One, Viewer, "", 200),
    row("GET /studios/{name}/drills", One, Viewer, "", 200),
    // No instance supervises it.
    row("POST /studios/{name}/drills", One, Operator, r#"{"kind": "content_failure"}"#, 409),
    row("GET /studios/{name}/drills/{drill_id}", One, Viewer, "", 200),
];

/// Operations without roles: for everybody, for people who sign in, or for media servers and Kick, which show secrets of their own.
pub(super) const WITHOUT_ROLES: &[&str] = &[
    "GET /.well-known/jwks.json",
    "GET /docs",
    "GET /health",
    "GET /link",
    "GET /livez",
    "GET /metrics",
    "GET /openapi.json",
    "GET /problems/{slug}",
    "GET /readyz",
    "GET /session/oidc/{name}",
    "GET /session/oidc/{name}/callback",
    "DELETE /session",
    "OPTIONS /clips",
    "POST /auth",
    "POST /kick/webhook",
    "POST /link",
    "POST /password-resets",
    "POST /session",
    "POST /srs/on_close",
    "POST /srs/on_connect",
    "POST /srs/on_play",
    "POST /srs/on_publish",
    "POST /srs/on_stop",
    "POST /srs/on_unpublish",
    "POST /webhook/available",
    "POST /webhook/not-ready",
    "POST /webhook/offline",
    "POST /webhook/online",
    "POST /webhook/ready",
    "POST /webhook/unavailable",
];
