//! What the stand-in for Kick knows, and how it misbehaves: for a test to set, at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::keys::TEST_KEY;

/// Somebody with a channel.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name in the address of the channel.
    pub slug: String,
    /// The channel's number.
    pub channel: u64,
    /// The chatroom's number.
    pub chatroom: u64,
    /// What they carry, while they are live.
    pub live: Option<Broadcast>,
}

/// What somebody carries.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The livestream's number. Only `/public/v2/livestreams` and the feeds tell it.
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
    /// To whose events.
    pub user: u64,
    /// To which event.
    pub event: String,
}

/// How an answer goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 401, as if the token were not known.
    Unauthorised,
    /// 429, with this `Retry-After`.
    TooMany(Option<String>),
    /// Another error, with this body.
    Error(u16, String),
    /// 200 with this body.
    Says(String),
    /// The right answer, late.
    Slow(Duration),
}

/// What the stand-in knows.
#[derive(Clone, Debug)]
pub struct World {
    /// Who there is, by user.
    pub people: BTreeMap<u64, Person>,
    /// The app's id.
    pub client_id: String,
    /// The app's secret; no other one gets a token.
    pub client_secret: String,
    /// What a new token says of its life: a number, a text, or nothing.
    pub expires_in: Value,
    /// The tokens that are accepted.
    pub tokens: BTreeSet<String>,
    /// How many tokens were given out.
    pub tokens_given: u64,
    /// Whether `/channels` shows every second live one of them as not live when asked about 50, as Kick does
    /// (KickDevDocs #321). So from the beginning.
    pub half_false: bool,
    /// Whether one unknown slug or user makes `/channels` refuse the whole question, as Kick does.
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
    /// Users to whom no subscription is given.
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
    /// Adds somebody who is not live. Their channel is `user + 1_000_000`, their chatroom `user + 2_000_000`: three
    /// numbers that are not the same.
    pub fn add(&mut self, user: u64, slug: &str) {
        let (channel, chatroom) = (user + 1_000_000, user + 2_000_000);
        self.people.insert(user, Person { slug: slug.to_owned(), channel, chatroom, live: None });
    }

    /// Lets somebody go live.
    ///
    /// # Panics
    /// If there is no such user.
    pub fn go_live(&mut self, user: u64, broadcast: Broadcast) {
        self.people.get_mut(&user).expect("a user who was added").live = Some(broadcast);
    }

    /// Lets somebody stop.
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

    /// Forgets every token that was given out: whoever shows one gets 401.
    pub fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Lets the next answer of `endpoint` go wrong (the ones after it too, if this is called again). Endpoints:
    /// `token`, `channels`, `livestreams`, `livestreams_v2`, `subscriptions`, `public_key`, `site`.
    pub fn next(&mut self, endpoint: &str, fault: Fault) {
        self.faults.entry(endpoint.to_owned()).or_default().push_back(fault);
    }

    /// Lets every answer of `endpoint` go wrong from now on, or with `None` no more.
    pub fn always(&mut self, endpoint: &str, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.always.insert(endpoint.to_owned(), fault),
            None => self.always.remove(endpoint),
        };
    }
}
