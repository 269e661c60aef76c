//! The publish decision by itself: how long the domain takes to say yes or no, without any I/O.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use streamward::domain::credentials::{Action, AuthRequest, Credentials};
use streamward::domain::media_server::{MediaServerName, SourceId};
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::publish::{PublishRequest, decide_other, decide_publish};
use streamward::domain::secret::{KeySecret, MasterKey, Secret};
use streamward::domain::stream_key::{Holder, OnConflict, StreamKey, Takeovers};
use streamward::domain::{BroadcasterId, OrganizationId, StreamKeyId, Timestamp};
use uuid::Uuid;

fn request(action: Action, secret: &KeySecret) -> AuthRequest {
    AuthRequest {
        action,
        path: IngestPath::from_media_server("live/alice"),
        protocol: "rtmp",
        connection: SourceId::parse("188d9bad-0000-4000-8000-000000000000"),
        ip: Some(IpAddr::from([127, 0, 0, 1])),
        credentials: Credentials {
            password: Secret::new(""),
            token: Secret::new(""),
            query: Secret::new(format!("key={}", secret.expose())),
        },
    }
}

fn decisions(c: &mut Criterion) {
    let now = Timestamp::from_seconds(1_000);
    let secret = KeySecret::from_random([7; 32]);
    let hasher = MasterKey::new([1; 32]).hasher();
    let key = StreamKey {
        id: StreamKeyId(Uuid::from_u128(1)),
        organization_id: OrganizationId::DEFAULT,
        broadcaster_id: BroadcasterId(Uuid::from_u128(2)),
        label: None,
        path: StreamPath::parse("live/alice").expect("a path"),
        key_prefix: secret.prefix(),
        on_conflict: OnConflict::Reject,
        playback_access: None,
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        holder: Holder::Free,
        takeovers: Takeovers::default(),
    };
    let server = MediaServerName::default();
    let publish = request(Action::Publish, &secret);
    c.bench_function("publish: find the secret, hash it, decide", |b| {
        b.iter(|| {
            let request = PublishRequest::from_auth_request(black_box(&publish), &server).expect("a key");
            let hash = hasher.key(&request.secret);
            (hash, decide_publish(black_box(&key), &request, now, Duration::from_secs(15)))
        });
    });
    let known = PublishRequest::from_auth_request(&publish, &server).expect("a key");
    c.bench_function("publish: decide", |b| {
        b.iter(|| decide_publish(black_box(&key), black_box(&known), now, Duration::from_secs(15)));
    });
    let read = request(Action::Read, &secret);
    let (control, relay) = (Secret::new("control"), Secret::new("relay"));
    c.bench_function("read: decide", |b| b.iter(|| decide_other(black_box(&read), &control, &relay)));
}

criterion_group!(benches, decisions);
criterion_main!(benches);
