//! The data and the faults of the stand-in for Kick. A test can set them at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::keys::TEST_KEY;

/// A person with a channel.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name in the address of the channel.
    pub slug: String,
    /// The channel's number.
    pub channel: u64,
    /// The chatroom's number.
    pub chatroom: u64,
    /// The broadcast, while they are live.
    pub live: Option<Broadcast>,
}

/// A broadcast.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The livestream's number. Only `/public/v2/livestreams` and the feeds contain it.
    pub id: u64,
    /// RFC 3339.
    pub started_at: String,
    /// The title.
    pub title: String,
    /// The category.
    pub category: String,
    /// How many watch.
    pub viewers: u64,
}

impl Broadcast {
    /// A broadcast with a title, a category and some viewers.
    pub fn new(id: u64, started_at: &str) -> Self {
        let (title, category) = (format!("title {id}"), "Just Chatting".to_owned());
        Self { id, started_at: started_at.to_owned(), title, category, viewers: 7 }
    }
}

/// A subscription to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its id.
    pub id: String,
    /// The user whose events it delivers.
    pub user: u64,
    /// The event.
    pub event: String,
}

/// A fault of an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 401, as if the token were not known.
    Unauthorised,
    /// 429, with this `Retry-After`.
    TooMany(Option<String>),
    /// Another error, with this body.
    Error(u16, String),
    /// 200 with this body.
    Body(String),
    /// The right answer, late.
    Slow(Duration),
}

/// The data of the stand-in.
#[derive(Clone, Debug)]
pub struct World {
    /// People by user.
    pub people: BTreeMap<u64, Person>,
    /// The app's id.
    pub client_id: String,
    /// The app's secret; no other one gets a token.
    pub client_secret: String,
    /// `expires_in` of a new token: a number, a text, or nothing.
    pub expires_in: Value,
    /// The tokens that are accepted.
    pub tokens: BTreeSet<String>,
    /// How many tokens were given out.
    pub tokens_given: u64,
    /// Whether `/channels` shows every second live one of them as not live in requests for 50, as Kick does
    /// (KickDevDocs #321). On by default.
    pub half_false: bool,
    /// Whether one unknown slug or user makes `/channels` refuse the whole request, as Kick does.
    pub unknown_spoils: bool,
    /// Whether `/public/v1/livestreams` is there.
    pub livestreams_v1: bool,
    /// Whether `/public/v2/livestreams` is there.
    pub livestreams_v2: bool,
    /// How many livestreams a page of v2 has at most.
    pub page: usize,
    /// The app's subscriptions.
    pub subscriptions: Vec<Subscribed>,
    /// How many subscriptions the app may have.
    pub subscription_limit: usize,
    /// Users for whom subscriptions are refused.
    pub unsubscribable: BTreeSet<u64>,
    /// The key that webhooks are signed with, in PEM.
    pub public_key: String,
    pub(super) faults: BTreeMap<String, VecDeque<Fault>>,
    pub(super) always: BTreeMap<String, Fault>,
    pub(super) made: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            people: BTreeMap::new(),
            client_id: "stub-client".to_owned(),
            client_secret: "stub-client-secret".to_owned(),
            expires_in: json!(5_184_000),
            tokens: BTreeSet::new(),
            tokens_given: 0,
            half_false: true,
            unknown_spoils: true,
            livestreams_v1: true,
            livestreams_v2: true,
            page: 100,
            subscriptions: Vec::new(),
            subscription_limit: 10_000,
            unsubscribable: BTreeSet::new(),
            public_key: TEST_KEY.public_pem.to_owned(),
            faults: BTreeMap::new(),
            always: BTreeMap::new(),
            made: 0,
        }
    }
}

impl World {
    /// Adds somebody who is not live. Their channel is `user + 1_000_000`, their chatroom `user + 2_000_000`.
    pub fn add(&mut self, user: u64, slug: &str) {
        let (channel, chatroom) = (user + 1_000_000, user + 2_000_000);
        self.people.insert(user, Person { slug: slug.to_owned(), channel, chatroom, live: None });
    }

    /// Makes a person go live.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn go_live(&mut self, user: u64, broadcast: Broadcast) {
        self.people.get_mut(&user).expect("a user who was added").live = Some(broadcast);
    }

    /// Makes a person stop.
    pub fn stop(&mut self, user: u64) {
        if let Some(person) = self.people.get_mut(&user) {
            person.live = None;
        }
    }

    /// Gives somebody another name; the old one is unknown from then on.
    pub fn rename(&mut self, user: u64, slug: &str) {
        if let Some(person) = self.people.get_mut(&user) {
            slug.clone_into(&mut person.slug);
        }
    }

    /// Forgets all tokens: requests with one get 401.
    pub fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Adds a fault for the next answer of `endpoint`; each call adds one more answer. Endpoints:
    /// `token`, `channels`, `livestreams`, `livestreams_v2`, `subscriptions`, `public_key`, `site`.
    pub fn next(&mut self, endpoint: &str, fault: Fault) {
        self.faults.entry(endpoint.to_owned()).or_default().push_back(fault);
    }

    /// Sets a fault for every answer of `endpoint` from now on; `None` removes it.
    pub fn always(&mut self, endpoint: &str, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.always.insert(endpoint.to_owned(), fault),
            None => self.always.remove(endpoint),
        };
    }
}
