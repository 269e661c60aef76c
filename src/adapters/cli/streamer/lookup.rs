//! `streamward streamer test`: shows Kick's present report about a name and the stored status. Stores no change.

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::super::Output;
use super::view;
use crate::app::streamer::Streamers;
use crate::domain::access::Actor;
use crate::domain::streamer::{KickIds, Session, Slug, Streamer};
use crate::ports::{KickApi, RemoteError};

/// One answer of Kick.
struct Answer {
    /// The source.
    from: &'static str,
    /// Whether the streamer is live; `None` if the answer has only ids.
    live: Option<bool>,
    /// Why there is none.
    error: Option<String>,
}

impl Answer {
    fn text(&self) -> String {
        match (&self.error, self.live) {
            (Some(error), _) => format!("{}: no answer, it {error}", self.from),
            (None, Some(true)) => format!("{}: live", self.from),
            (None, Some(false)) => format!("{}: not live", self.from),
            (None, None) => format!("{}: ids only", self.from),
        }
    }
}

/// All answers about a name.
struct Found {
    name: Slug,
    ids: KickIds,
    session: Option<Session>,
    answers: Vec<Answer>,
    row: Option<Streamer>,
}

/// Requests `username` from Kick and prints the answers.
pub async fn lookup(
    streamers: &Streamers,
    kick: &dyn KickApi,
    username: &str,
    out: &mut Output,
) -> anyhow::Result<()> {
    let slug = Slug::parse(username)?;
    let actor = Actor::cli("streamer test");
    let row = super::named(streamers, &actor, username).await?;
    let mut found = request(kick, slug, row).await?;
    if found.row.is_none() {
        // The list may contain Kick's spelling.
        found.row = super::named(streamers, &actor, found.name.as_str()).await?;
    }
    out.thing(&found.json(), || found.text())
}

async fn request(kick: &dyn KickApi, slug: Slug, row: Option<Streamer>) -> anyhow::Result<Found> {
    let mut spellings = vec![slug.clone(), slug.dashed()];
    spellings.dedup();
    let found = kick
        .channels_named(&spellings)
        .await
        .map_err(|error| anyhow!("Kick {error}; `streamward kick token` checks the credentials"))?;
    let Some(channel) = found.into_iter().next() else {
        bail!(
            "Kick has no channel called {slug}: take the name from the address of the channel, where _ may be -"
        );
    };
    let mut found = Found {
        name: channel.slug,
        ids: KickIds { user: Some(channel.user), ..KickIds::default() },
        answers: vec![Answer { from: "channels", live: Some(channel.live.is_some()), error: None }],
        session: channel.live,
        row,
    };
    match kick.live_among(&[channel.user]).await {
        Ok(live) => {
            let one = live.into_iter().find(|one| one.user == channel.user);
            found.answers.push(Answer { from: "livestreams", live: Some(one.is_some()), error: None });
            if let Some(one) = one {
                found.ids.channel = one.channel;
                let known = found.session.take().unwrap_or_default();
                found.session = Some(known.refreshed(&one.session));
            }
        }
        Err(error) => found.answers.push(failed("livestreams", &error)),
    }
    match kick.ids_on_site(&found.name).await {
        Ok(Some(ids)) => {
            found.ids = found.ids.updated(ids);
            found.answers.push(Answer { from: "web site (unofficial)", live: None, error: None });
        }
        Ok(None) => {
            let error = Some("knows no such channel".to_owned());
            found.answers.push(Answer { from: "web site (unofficial)", live: None, error });
        }
        Err(error) => found.answers.push(failed("web site (unofficial)", &error)),
    }
    Ok(found)
}

fn failed(from: &'static str, error: &RemoteError) -> Answer {
    Answer { from, live: None, error: Some(error.to_string()) }
}

impl Found {
    /// One answer that is live is enough. One that is not live is no proof.
    fn result(&self) -> &'static str {
        let answers: Vec<bool> = self.answers.iter().filter_map(|answer| answer.live).collect();
        match (answers.contains(&true), answers.len()) {
            (true, _) => "live",
            (false, 0 | 1) => "perhaps not live",
            (false, _) => "not live",
        }
    }

    fn json(&self) -> Value {
        let answers: Vec<Value> = self
            .answers
            .iter()
            .map(|answer| json!({"from": answer.from, "live": answer.live, "error": answer.error}))
            .collect();
        json!({
            "username": self.name.as_str(),
            "user_id": self.ids.user,
            "channel_id": self.ids.channel,
            "chatroom_id": self.ids.chatroom,
            "live": self.session.is_some(),
            "verdict": self.result(),
            "session": self.session.as_ref().map(view::session),
            "answers": answers,
            "row": self.row.as_ref().map(view::streamer),
        })
    }

    fn text(&self) -> String {
        fn or_unknown(number: Option<impl ToString>) -> String {
            number.map_or_else(|| "not known".to_owned(), |number| number.to_string())
        }
        let session = self.session.as_ref();
        let mut text = vec![
            format!("{}: {}", self.name, self.result()),
            format!("  user      {}", or_unknown(self.ids.user)),
            format!("  channel   {}", or_unknown(self.ids.channel)),
        ];
        if let Some(session) = session {
            let none = || "-".to_owned();
            text.push(format!("  title     {}", session.title.as_deref().map_or_else(none, view::printable)));
            text.push(format!(
                "  category  {}",
                session.category.as_deref().map_or_else(none, view::printable)
            ));
            text.push(format!(
                "  viewers   {}",
                session.viewers.map_or_else(none, |count| count.to_string())
            ));
        }
        text.extend(self.answers.iter().map(|answer| format!("  says      {}", answer.text())));
        text.push(match &self.row {
            None => format!("  here      not on the list: `streamward streamer add {}`", self.name),
            Some(row) => {
                let since = row.track.last_status_update;
                let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
                let watched = if row.is_active { "watched" } else { "paused" };
                let problem = row.problem.as_deref().map(|problem| format!("; {}", view::printable(problem)));
                format!("  here      {}{since}, {watched}{}", row.track.status, problem.unwrap_or_default())
            }
        });
        text.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::streamer::{ChannelId, UserId};
    use crate::ports::{KickChannel, KickLive};

    /// Kick with one user, whose two answers may differ.
    struct OneUser {
        channels_say: bool,
        livestreams_say: bool,
    }

    fn session() -> Session {
        Session { title: Some("Juice".into()), viewers: Some(7), ..Session::default() }
    }

    #[async_trait]
    impl KickApi for OneUser {
        async fn channels_named(&self, slugs: &[Slug]) -> Result<Vec<KickChannel>, RemoteError> {
            let user = UserId::new(676).unwrap();
            let live = self.channels_say.then(session);
            let known = slugs.iter().find(|slug| slug.is("xqc"));
            Ok(known.map(|slug| KickChannel { user, slug: slug.clone(), live }).into_iter().collect())
        }

        async fn channels(&self, _: &[UserId]) -> Result<Vec<KickChannel>, RemoteError> {
            Ok(vec![])
        }

        async fn live_among(&self, users: &[UserId]) -> Result<Vec<KickLive>, RemoteError> {
            let live = KickLive {
                user: users[0],
                channel: ChannelId::new(668).ok(),
                slug: None,
                session: session(),
            };
            Ok(self.livestreams_say.then_some(live).into_iter().collect())
        }

        async fn ids_on_site(&self, _: &Slug) -> Result<Option<KickIds>, RemoteError> {
            Err(RemoteError::Unsupported("it refuses servers".into()))
        }

        async fn token_valid_until(&self) -> Result<Timestamp, RemoteError> {
            Err(RemoteError::TimedOut)
        }
    }

    #[tokio::test]
    async fn one_live_answer_is_enough_and_all_are_shown() {
        let slug = || Slug::parse("xqc").unwrap();
        for (channels_say, livestreams_say, result) in
            [(true, true, "live"), (false, true, "live"), (true, false, "live"), (false, false, "not live")]
        {
            let found = request(&OneUser { channels_say, livestreams_say }, slug(), None).await.unwrap();
            assert_eq!(found.result(), result);
            assert_eq!(found.json()["live"], result == "live");
            let text = found.text();
            let words = |yes| if yes { "live" } else { "not live" };
            assert!(text.contains(&format!("says      channels: {}\n", words(channels_say))), "{text}");
            assert!(text.contains(&format!("says      livestreams: {}\n", words(livestreams_say))), "{text}");
            assert!(text.contains("web site (unofficial): no answer, it cannot do this"), "{text}");
            assert!(text.ends_with("not on the list: `streamward streamer add xqc`"), "{text}");
            assert_eq!(text.contains("channel   668"), livestreams_say, "{text}");
        }
        let kick = OneUser { channels_say: true, livestreams_say: true };
        let unknown = request(&kick, Slug::parse("nobody").unwrap(), None).await.err().unwrap();
        assert!(unknown.to_string().contains("Kick has no channel called nobody"), "{unknown}");
    }
}
