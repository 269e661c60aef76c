//! `streamward streamer test`: shows Kick's present report about a name and the stored status. Stores no change.

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::super::Output;
use super::view;
use crate::app::streamer::Streamers;
use crate::domain::access::Actor;
use crate::domain::streamer::{KickIds, Session, Slug, Streamer};
use crate::ports::KickApi;

const SITE: &str = "web site (unofficial)";

/// Whether Kick says that the streamer is live; `None` if the answer has only ids. The error says why there is none.
type Answer = Result<Option<bool>, String>;

struct Found {
    name: Slug,
    ids: KickIds,
    session: Option<Session>,
    answers: Vec<(&'static str, Answer)>,
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
    let found = kick.channels_named(&spellings).await;
    let found =
        found.map_err(|error| anyhow!("Kick {error}; `streamward kick token` checks the credentials"))?;
    let Some(channel) = found.into_iter().next() else {
        bail!(
            "Kick has no channel called {slug}: take the name from the address of the channel, where _ may be -"
        );
    };
    let mut ids = KickIds { user: Some(channel.user), ..KickIds::default() };
    let mut session = channel.live;
    let mut answers = vec![("channels", Ok(Some(session.is_some())))];
    let live = match kick.live_among(&[channel.user]).await {
        Ok(live) => {
            let one = live.into_iter().find(|one| one.user == channel.user);
            let is_live = one.is_some();
            if let Some(one) = one {
                ids.channel = one.channel;
                session = Some(session.unwrap_or_default().refreshed(&one.session));
            }
            Ok(Some(is_live))
        }
        Err(error) => Err(error.to_string()),
    };
    answers.push(("livestreams", live));
    let site = match kick.ids_on_site(&channel.slug).await {
        Ok(Some(more)) => {
            ids = ids.updated(more);
            Ok(None)
        }
        Ok(None) => Err("knows no such channel".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    answers.push((SITE, site));
    Ok(Found { name: channel.slug, ids, session, answers, row })
}

impl Found {
    /// One answer that is live is enough. One that is not live is no proof.
    fn result(&self) -> &'static str {
        let answers = self.answers.iter().filter_map(|(_, answer)| answer.clone().ok().flatten());
        match answers.collect::<Vec<bool>>().as_slice() {
            answers if answers.contains(&true) => "live",
            [] | [_] => "perhaps not live",
            _ => "not live",
        }
    }

    fn json(&self) -> Value {
        let answers = self.answers.iter().map(|(from, answer)| {
            json!({"from": from, "live": answer.clone().ok().flatten(), "error": answer.as_ref().err()})
        });
        json!({
            "username": self.name.as_str(),
            "user_id": self.ids.user,
            "channel_id": self.ids.channel,
            "chatroom_id": self.ids.chatroom,
            "live": self.session.is_some(),
            "verdict": self.result(),
            "session": self.session.as_ref().map(view::session),
            "answers": answers.collect::<Vec<_>>(),
            "row": self.row.as_ref().map(view::streamer),
        })
    }

    fn text(&self) -> String {
        fn or_else(value: Option<impl ToString>, absent: &str) -> String {
            value.map_or_else(|| absent.to_owned(), |value| value.to_string())
        }
        let Self { name, ids, session, answers, row } = self;
        let mut lines = vec![
            format!("{name}: {}", self.result()),
            format!("  user      {}", or_else(ids.user, "not known")),
            format!("  channel   {}", or_else(ids.channel, "not known")),
        ];
        if let Some(Session { title, category, viewers, .. }) = session {
            lines.push(format!("  title     {}", or_else(title.as_deref().map(view::printable), "-")));
            lines.push(format!("  category  {}", or_else(category.as_deref().map(view::printable), "-")));
            lines.push(format!("  viewers   {}", or_else(*viewers, "-")));
        }
        for (from, answer) in answers {
            lines.push(match answer {
                Err(error) => format!("  says      {from}: no answer, it {error}"),
                Ok(Some(true)) => format!("  says      {from}: live"),
                Ok(Some(false)) => format!("  says      {from}: not live"),
                Ok(None) => format!("  says      {from}: ids only"),
            });
        }
        lines.push(match row {
            None => format!("  here      not on the list: `streamward streamer add {name}`"),
            Some(row) => {
                let since = row.track.last_status_update;
                let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
                let watched = if row.is_active { "watched" } else { "paused" };
                let problem = row.problem.as_deref().map(|problem| format!("; {}", view::printable(problem)));
                format!("  here      {}{since}, {watched}{}", row.track.status, problem.unwrap_or_default())
            }
        });
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::streamer::{ChannelId, UserId};
    use crate::ports::{KickChannel, KickLive, RemoteError};

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
            let (user, channel, slug, session) = (users[0], ChannelId::new(668).ok(), None, session());
            let live = KickLive { user, channel, slug, session };
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
