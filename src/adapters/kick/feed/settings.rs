//! Settings of a feed: addresses, limits and timeouts.

use std::time::Duration;

use url::Url;

/// Kick's former feed, as its web page had it.
pub const PUSHER_URL: &str = "wss://ws-us2.pusher.com";
/// Where Kick names the feed that it serves, and issues guest tokens.
pub const REALTIME_URL: &str = "https://web.kick.com";
/// Centrifugo's default limit is 128 channels for each client. Kick's setting is not known.
pub const MOST_ON_CENTRIFUGO: usize = 100;

/// Which feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedChoice {
    /// The one that Kick offers.
    #[default]
    Auto,
    /// Pusher protocol.
    Pusher,
    /// Centrifugo.
    Centrifugo,
}

/// How to reach the feed. Neither of these is an official interface of Kick.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Which feed.
    pub choice: FeedChoice,
    /// Where Kick names the feed; `http` or `https`, without a path.
    pub realtime_url: Url,
    /// The Pusher server; `ws` or `wss`, without a path. Kick's cluster replaces the
    /// default [`PUSHER_URL`].
    pub pusher_url: Url,
    /// The Pusher app's key. With it, [`FeedChoice::Pusher`] needs no request to Kick.
    pub pusher_key: Option<String>,
    /// Where Centrifugo is. With it, [`FeedChoice::Centrifugo`] requests only guest tokens from Kick.
    pub centrifugo_url: Option<Url>,
    /// At most this many channels share a connection; on Centrifugo never more than [`MOST_ON_CENTRIFUGO`].
    pub channels_per_connection: usize,
    /// Timeouts and limits.
    pub timing: Timing,
}

impl FeedSettings {
    /// The settings for Kick. Cannot fail: both addresses are constants.
    pub fn new(choice: FeedChoice) -> Result<Self, url::ParseError> {
        Ok(Self {
            choice,
            realtime_url: Url::parse(REALTIME_URL)?,
            pusher_url: Url::parse(PUSHER_URL)?,
            pusher_key: None,
            centrifugo_url: None,
            channels_per_connection: 250,
            timing: Timing::default(),
        })
    }
}

/// Timeouts and limits. The defaults suit Kick; tests use shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Longest silence on Pusher before we ping; the server may request a shorter one.
    pub activity: Duration,
    /// Longest wait for anything after a ping.
    pub pong: Duration,
    /// How much longer than its ping interval Centrifugo may be silent.
    pub silence_margin: Duration,
    /// Until an unacknowledged subscription is requested again.
    pub ack: Duration,
    /// Subscriptions requested at once, on one connection.
    pub burst: usize,
    /// Time between two such bursts.
    pub burst_every: Duration,
    /// Time between opening two connections.
    pub open_every: Duration,
    /// First, and shortest obligatory, wait before connecting again.
    pub backoff: Duration,
    /// Longest wait before connecting again.
    pub backoff_cap: Duration,
    /// Wait after the feed was refused for good.
    pub rejected: Duration,
    /// After this long without a connection, the feed is negotiated again.
    pub renegotiate: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        Self {
            activity: s(120),
            pong: s(30),
            silence_margin: s(15),
            ack: s(10),
            burst: 50,
            burst_every: ms(100),
            open_every: ms(100),
            backoff: s(1),
            backoff_cap: s(60),
            rejected: s(300),
            renegotiate: s(120),
        }
    }
}
