//! The answer to a media server that asks whether a client may do something.
//!
//! It costs at most one database statement for publishing, none for anything else, and never a call to a media
//! server: MediaMTX decides every connection one after the other while it waits for this answer.

use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::App;
use super::known_keys::Known;
use super::tally::TallyKey;
use crate::domain::credentials::{Action, Question};
use crate::domain::media_server::MediaServerName;
use crate::domain::publish::{AllowReason, Decision, DenyReason, PublishAsk, decide_other, decide_publish};
use crate::domain::stream_key::OnConflict;
use crate::ports::{Contact, Nudge};

impl App {
    /// Decides `question` of `server`. Always answers, within
    /// [`auth_deadline`](super::Settings::auth_deadline); what cannot be decided is a no.
    pub async fn decide(&self, server: &MediaServerName, question: &Question) -> Decision {
        let started = Instant::now();
        let decision = match question.action {
            Action::Publish => {
                match timeout(self.settings().auth_deadline, self.publish(server, question)).await {
                    Ok(decision) => decision,
                    Err(_) => deny(DenyReason::Undecided, question),
                }
            }
            _ => self.decide_other(server, question),
        };
        self.note(server, question, &decision, started.elapsed());
        decision
    }

    fn decide_other(&self, server: &MediaServerName, question: &Question) -> Decision {
        let path = question.path.public().map(str::to_owned);
        let verdict = match self.settings().media_servers.get(server) {
            Some(known) => decide_other(question, &known.control_secret, &known.relay_secret),
            None => Err(DenyReason::Undecided),
        };
        Decision { verdict, key: None, path }
    }

    async fn publish(&self, server: &MediaServerName, question: &Question) -> Decision {
        let ask = match PublishAsk::from_question(question, server) {
            Ok(ask) => ask,
            Err(reason) => return deny(reason, question),
        };
        let now = self.now();
        let hash = self.parts.hasher.key(&ask.secret);
        let _room = match self.known.look_up(&hash, now) {
            Known::Ask(permit) => permit,
            Known::No => return deny(DenyReason::UnknownKey, question),
        };
        let ttl = self.settings().claim_ttl;
        let claim = self.parts.auth_store.claim_for_publish(&hash, &ask, now, ttl);
        let key = match claim.instrument(tracing::info_span!("store.claim_for_publish")).await {
            Ok(Some(key)) => key,
            Ok(None) => {
                self.known.missed(hash, now);
                return deny(DenyReason::UnknownKey, question);
            }
            Err(error) => {
                tracing::error!(%error, "a publish question could not be decided");
                return deny(DenyReason::Undecided, question);
            }
        };
        let verdict = decide_publish(&key, &ask, now, ttl).and_then(|_| match &ask.connection {
            None => Ok(AllowReason::KeyValid),
            // The row is as it is after the claim: whoever is allowed finds itself the holder.
            Some(asking) if key.holder.connection() == Some(asking) => Ok(AllowReason::KeyClaimed),
            Some(_) => Err(DenyReason::KeyInUse),
        });
        if verdict == Ok(AllowReason::KeyClaimed) && key.on_conflict == OnConflict::Takeover {
            // There may be a loser; have it found at once. Within this instance only: nothing on the way to this
            // answer may wait for a database's notification lock, and the other instances look every two seconds.
            for name in self.settings().media_servers.keys() {
                self.note_cause_of_look(name);
                self.parts.nudges.send_local(Nudge::Reconcile(name.clone()));
            }
        }
        Decision { verdict, key: Some(key.id), path: Some(key.path.to_string()) }
    }

    fn note(
        &self,
        server: &MediaServerName,
        question: &Question,
        decision: &Decision,
        took: std::time::Duration,
    ) {
        let (outcome, reason) = match decision.verdict {
            Ok(reason) => ("allow", reason.as_str()),
            Err(reason) => ("deny", reason.as_str()),
        };
        let (action, protocol) = (question.action.as_str(), question.protocol);
        metrics::counter!("streamward_auth_decisions_total",
            "action" => action, "protocol" => protocol, "outcome" => outcome, "reason" => reason)
        .increment(1);
        metrics::histogram!("streamward_auth_duration_seconds", "action" => action)
            .record(took.as_secs_f64());
        let ip = question.ip.map(|ip| ip.to_string());
        macro_rules! say {
            ($level:ident) => {
                tracing::$level!(
                    %server, action, protocol, outcome, reason,
                    key_id = decision.key.map(tracing::field::display),
                    path = decision.path.as_deref(),
                    ip = ip.as_deref(),
                    connection = question.connection.as_ref().map(tracing::field::display),
                    "auth"
                )
            };
        }
        // Our own looks come back as questions every two seconds; at info they would drown the rest.
        if decision.verdict == Ok(AllowReason::ControlSecret) {
            say!(debug);
        } else {
            say!(info);
        }
        let now = self.now();
        // What is no question of a media server (`doctor` asks one) does not show that it asks.
        if question.action != Action::Unknown {
            self.tally.contact(server, Contact::Auth, now);
        }
        if question.action == Action::Publish {
            let key = decision.key;
            let path = decision.path.clone();
            self.tally
                .count(TallyKey { server: server.clone(), protocol, outcome, reason, key, path, ip }, now);
        }
    }
}

fn deny(reason: DenyReason, question: &Question) -> Decision {
    Decision { verdict: Err(reason), key: None, path: question.path.public().map(str::to_owned) }
}
