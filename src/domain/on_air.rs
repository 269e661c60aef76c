//! Why a path is, or is not, on air, in plain sentences.

use serde::Serialize;

use super::Timestamp;
use super::auth_failure::AuthFailure;
use super::media_server::MediaServerStatus;
use super::path::StreamPath;
use super::stream::{Stream, StreamState};
use super::stream_key::{Holder, KeyStatus, StreamKey};

/// What is known of a path.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The path.
    pub path: StreamPath,
    /// When that is known.
    pub now: Timestamp,
    /// Its keys, the newest first.
    pub keys: Vec<StreamKey>,
    /// Without a key: the path of a key that is much like it.
    pub near: Option<String>,
    /// The stream that is live on it.
    pub live: Option<Stream>,
    /// The stream that ended last.
    pub ended: Option<Stream>,
    /// The configured media servers.
    pub servers: Vec<MediaServerStatus>,
    /// The last refused attempt that concerns it.
    pub refused: Option<AuthFailure>,
}

/// Whether a sentence is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Neither good nor bad.
    Info,
    /// It may be the cause.
    Warn,
    /// It keeps the path off the air.
    Fail,
}

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The text.
    pub text: String,
    /// Whether it is good news.
    pub status: Status,
}

/// Why a path is, or is not, on air.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is on air, as far as that is known.
    pub on_air: bool,
    /// From the key to the viewers.
    pub sentences: Vec<Sentence>,
    /// What to do; `None` if nothing needs to be done.
    pub next: Option<String>,
}

impl Explanation {
    /// Explains the facts.
    pub fn of(facts: &Facts) -> Self {
        let mut told = Self::default();
        told.key(facts);
        told.servers(facts);
        match &facts.live {
            Some(stream) => told.live(facts, stream),
            None => told.not_live(facts),
        }
        told.refusal(facts);
        if !told.on_air && told.next.is_none() {
            told.next = Some(format!("Start the encoder, with the server and the key of {}.", facts.path));
        }
        told
    }

    fn say(&mut self, status: Status, text: impl Into<String>) {
        self.sentences.push(Sentence { text: text.into(), status });
    }

    /// What is told first is to be done first.
    fn then(&mut self, next: impl Into<String>) {
        self.next.get_or_insert_with(|| next.into());
    }

    fn key(&mut self, facts: &Facts) {
        let path = &facts.path;
        let usable = facts.keys.iter().find(|key| key.is_usable(facts.now));
        let Some(key) = usable.or(facts.keys.first()) else {
            self.say(
                Status::Fail,
                format!("There is no stream key for {path}, so nobody can publish there."),
            );
            return match &facts.near {
                Some(near) => self.then(format!(
                    "There is a key for {near}: if that is meant, correct the path of the encoder; otherwise create a key for {path}."
                )),
                None => self.then(format!("Create a stream key for {path}.")),
            };
        };
        let prefix = &key.key_prefix;
        match key.status(facts.now) {
            KeyStatus::Active => {
                let until = key.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
                self.say(
                    Status::Ok,
                    format!("The stream key {prefix}… is for {path} and can be used{until}."),
                );
            }
            KeyStatus::Revoked => {
                let at = key.revoked_at.map(|at| format!(" at {at}")).unwrap_or_default();
                self.say(Status::Fail, format!("The stream key {prefix}… was revoked{at}."));
                self.then(format!("Create a new stream key for {path}, and give it to the encoder."));
            }
            KeyStatus::Expired => {
                let at = key.expires_at.map(|at| format!(" at {at}")).unwrap_or_default();
                self.say(Status::Fail, format!("The stream key {prefix}… expired{at}."));
                self.then(format!("Create a new stream key for {path}, and give it to the encoder."));
            }
        }
    }

    /// While a path is not live, every media server may be the one that its encoder sends to.
    fn servers(&mut self, facts: &Facts) {
        let concerned = |server: &&MediaServerStatus| {
            facts.live.as_ref().is_none_or(|stream| stream.media_server == server.name)
        };
        for server in facts.servers.iter().filter(concerned) {
            let (name, since) = (&server.name, server.since);
            if server.reachable {
                self.say(Status::Ok, format!("The media server {name} answers."));
                continue;
            }
            let why = server.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            self.say(Status::Fail, format!("The media server {name} has not answered since {since}{why}."));
            self.then(format!(
                "Start the media server {name}, or correct its address: `streamward doctor` shows why."
            ));
        }
        if facts.servers.is_empty() {
            self.say(Status::Fail, "No media server has answered yet.");
            self.then("Start the media server: `streamward doctor` shows what is missing.");
        }
    }

    fn live(&mut self, facts: &Facts, stream: &Stream) {
        let (server, since) = (&stream.media_server, stream.started_at);
        let is_known = facts.servers.iter().any(|known| known.name == *server && known.reachable);
        if !is_known {
            let text = format!(
                "It went live on {server} at {since}. Whether it still is cannot be known until {server} answers."
            );
            return self.say(Status::Warn, text);
        }
        self.on_air = true;
        let who = &stream.broadcaster_name;
        self.say(Status::Ok, format!("{who} has been live on {server} since {since}."));
        if let StreamState::Active { ending: Some(reason) } = stream.state {
            let reason = reason.as_str().replace('_', " ");
            self.say(Status::Warn, format!("It is being ended: {reason}."));
        }
        let tracks = stream.stats.tracks.join(" and ");
        match (tracks.is_empty(), stream.stats.inbound_bytes) {
            (true, _) => self.say(Status::Warn, "The media server has named no picture and no sound yet."),
            (false, 0) => {
                self.say(Status::Warn, format!("It announces {tracks}, but nothing has arrived yet."));
                self.then("Look at the encoder: it is connected and sends nothing.");
            }
            (false, _) => self.say(Status::Ok, format!("It carries {tracks}.")),
        }
        match stream.stats.readers {
            0 => self.say(Status::Info, "Nobody watches it."),
            1 => self.say(Status::Info, "It has one reader."),
            many => self.say(Status::Info, format!("It has {many} readers.")),
        }
    }

    fn not_live(&mut self, facts: &Facts) {
        let holders = facts.keys.iter().find(|key| key.holder != Holder::Free);
        match holders.map(|key| &key.holder) {
            Some(Holder::Claimed { by, until }) if *until > facts.now => {
                let text = format!(
                    "An encoder was let in on {} and is not live yet; its claim lapses at {until}.",
                    by.server
                );
                self.say(Status::Warn, text);
                self.then("Wait a few seconds; if it comes again and again, look at the log of the encoder: it connects and sends nothing.");
            }
            Some(Holder::Claimed { by, until }) => {
                let text = format!(
                    "The last encoder was let in on {}, and had sent nothing when its claim lapsed at {until}.",
                    by.server
                );
                self.say(Status::Warn, text);
                self.then(
                    "Look at the log of the encoder and of the media server: it connected and sent nothing.",
                );
            }
            Some(Holder::Live { by }) => {
                let text = format!(
                    "A connection on {} holds the key, and its stream is not recorded yet.",
                    by.server
                );
                self.say(Status::Warn, text);
            }
            Some(Holder::Evicted { .. }) => {
                self.say(Status::Warn, "The key was rotated while an encoder used it: it needs the new one.");
                self.then("Give the new key to the encoder.");
            }
            Some(Holder::Free) | None if facts.keys.is_empty() => {}
            Some(Holder::Free) | None => self.say(Status::Info, "No encoder is connected."),
        }
        match &facts.ended {
            Some(Stream { state: StreamState::Ended { ended_at, end_reason }, .. }) => {
                let reason = end_reason.as_str().replace('_', " ");
                self.say(Status::Info, format!("The last broadcast ended at {ended_at}: {reason}."));
            }
            _ if facts.keys.is_empty() => {}
            _ => self.say(Status::Info, "There has been no broadcast yet."),
        }
    }

    /// A refusal that a later broadcast has settled explains nothing.
    fn refusal(&mut self, facts: &Facts) {
        let settled = facts.live.as_ref().map(|stream| stream.started_at);
        let Some(refused) = &facts.refused else { return };
        if settled.is_some_and(|at| refused.last_at <= at) {
            return;
        }
        let AuthFailure { attempt, last_at, count, .. } = refused;
        let cause = attempt.cause.replace('_', " ");
        let from = attempt.ip_address.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
        let times = if *count > 1 { format!(", {count} times") } else { String::new() };
        self.say(Status::Warn, format!("An encoder{from} was refused at {last_at}{times}: {cause}."));
        if !self.on_air {
            let near = if facts.keys.is_empty() { facts.near.as_deref() } else { Some(facts.path.as_str()) };
            self.then(attempt.advice(near));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::auth_failure::RefusedAttempt;
    use super::super::media_server::{MediaServerName, StreamStats};
    use super::super::stream::EndReason;
    use super::super::stream::tests::stream;
    use super::super::stream_key::tests::{connection, key};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn server(reachable: bool) -> MediaServerStatus {
        MediaServerStatus {
            name: MediaServerName::default(),
            version: None,
            run: None,
            reachable,
            since: Timestamp::from_seconds(900),
            last_reconcile: None,
            last_error: (!reachable).then(|| "connection refused".to_owned()),
            drift_repaired: 0,
            last_hook: None,
            last_auth: None,
            told_unreachable: false,
        }
    }

    fn facts() -> Facts {
        Facts {
            path: StreamPath::parse("live/alice").unwrap(),
            now: NOW,
            keys: vec![key()],
            near: None,
            live: None,
            ended: None,
            servers: vec![server(true)],
            refused: None,
        }
    }

    fn live() -> Stream {
        let tracks = vec!["H264".to_owned(), "Opus".to_owned()];
        Stream { stats: StreamStats { readers: 2, tracks, inbound_bytes: 9 }, ..stream() }
    }

    fn refused(cause: &str, at: i64) -> AuthFailure {
        let attempt = RefusedAttempt { path: Some("live/alice".into()), ..RefusedAttempt::of_cause(cause) };
        let at = Timestamp::from_seconds(at);
        AuthFailure::new(attempt, (at, at), 3)
    }

    #[test]
    fn every_cause_is_told_and_followed_by_what_to_do() {
        let claimed = |until| Holder::Claimed { by: connection("c1"), until: Timestamp::from_seconds(until) };
        let ended_at = Timestamp::from_seconds(500);
        let state = StreamState::Ended { ended_at, end_reason: EndReason::EndedByOperator };
        let ended = Stream { state, ..stream() };
        let ending = StreamState::Active { ending: Some(EndReason::KeyRevoked) };
        let dead = Stream { stats: StreamStats { inbound_bytes: 0, ..live().stats }, ..live() };
        let with_key = |key| Facts { keys: vec![key], ..facts() };
        // The facts, whether it is on air, a sentence with its status, and what to do.
        for (facts, on_air, status, text, next) in [
            (facts(), false, Status::Info, "No encoder is connected", "Start the encoder"),
            (facts(), false, Status::Info, "no broadcast yet", "Start the encoder"),
            (
                Facts { keys: vec![], ..facts() },
                false,
                Status::Fail,
                "There is no stream key",
                "Create a stream key",
            ),
            (
                Facts { keys: vec![], near: Some("live/alcie".into()), ..facts() },
                false,
                Status::Fail,
                "There is no stream key",
                "There is a key for live/alcie",
            ),
            (
                with_key(StreamKey { revoked_at: Some(NOW), ..key() }),
                false,
                Status::Fail,
                "was revoked at 1970",
                "Create a new stream key",
            ),
            (
                with_key(StreamKey { expires_at: Some(NOW), ..key() }),
                false,
                Status::Fail,
                "expired at 1970",
                "Create a new stream key",
            ),
            (
                with_key(StreamKey { holder: claimed(1_001), ..key() }),
                false,
                Status::Warn,
                "is not live yet",
                "Wait a few seconds",
            ),
            (
                with_key(StreamKey { holder: claimed(999), ..key() }),
                false,
                Status::Warn,
                "had sent nothing",
                "it connected and sent nothing",
            ),
            (
                with_key(StreamKey { holder: Holder::Evicted { by: connection("c1") }, ..key() }),
                false,
                Status::Warn,
                "was rotated",
                "Give the new key",
            ),
            (
                Facts { servers: vec![server(false)], ..facts() },
                false,
                Status::Fail,
                "connection refused",
                "Start the media server default",
            ),
            (Facts { servers: vec![], ..facts() }, false, Status::Fail, "No media server", "doctor"),
            (
                Facts { ended: Some(ended), ..facts() },
                false,
                Status::Info,
                "ended by operator",
                "Start the encoder",
            ),
            (
                Facts { refused: Some(refused("unknown_key", 990)), ..facts() },
                false,
                Status::Warn,
                "3 times: unknown key",
                "",
            ),
            (
                Facts { live: Some(live()), servers: vec![server(false)], ..facts() },
                false,
                Status::Warn,
                "Whether it still is cannot be known",
                "Start the media server default",
            ),
            (
                Facts { live: Some(dead), ..facts() },
                true,
                Status::Warn,
                "nothing has arrived yet",
                "Look at the encoder",
            ),
            (
                Facts { live: Some(Stream { state: ending, ..live() }), ..facts() },
                true,
                Status::Warn,
                "It is being ended: key revoked",
                "",
            ),
        ] {
            let told = Explanation::of(&facts);
            assert_eq!(told.on_air, on_air, "{told:?}");
            let found = told.sentences.iter().find(|one| one.text.contains(text));
            assert_eq!(found.map(|one| one.status), Some(status), "{text}: {told:?}");
            assert!(told.next.as_deref().unwrap_or_default().contains(next), "{next}: {told:?}");
            assert!(on_air || told.next.is_some(), "{told:?}");
            assert!(told.sentences.iter().all(|one| one.text.ends_with('.')), "{told:?}");
        }
    }

    #[test]
    fn what_is_on_air_needs_nothing() {
        let told = Explanation::of(&Facts { live: Some(live()), ..facts() });
        let texts: Vec<&str> = told.sentences.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "The stream key sk_abcde… is for live/alice and can be used.",
                "The media server default answers.",
                "Alice has been live on default since 1970-01-01T00:01:40Z.",
                "It carries H264 and Opus.",
                "It has 2 readers.",
            ]
        );
        assert!(told.on_air && told.next.is_none(), "{told:?}");
    }

    #[test]
    fn a_refusal_before_the_broadcast_is_not_told() {
        let told = |at| {
            let facts = Facts { live: Some(live()), refused: Some(refused("unknown_key", at)), ..facts() };
            Explanation::of(&facts)
        };
        assert!(!told(100).sentences.iter().any(|one| one.text.contains("refused")));
        let later = told(101);
        assert!(later.sentences.iter().any(|one| one.text.contains("refused")) && later.next.is_none());
    }
}
