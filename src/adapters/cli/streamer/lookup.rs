//! `streamward streamer test`: what Kick says of a name now, beside what is stored. Nothing is written.

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
    /// Who gave it.
    from: &'static str,
    /// Whether it says that they are live; nothing if it does not tell.
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
            (None, None) => format!("{}: tells the numbers only", self.from),
        }
    }
}

/// All that was said.
struct ReportedStatus {
    name: Slug,
    ids: KickIds,
    session: Option<Session>,
    answers: Vec<Answer>,
    row: Option<Streamer>,
}

/// Asks Kick about `username` and prints what it says.
///
/// # Errors
/// There is no such name; Kick does not answer; it cannot be printed.
pub async fn lookup(
    streamers: &Streamers,
    kick: &dyn KickApi,
    username: &str,
    out: &mut Output,
) -> anyhow::Result<()> {
    let slug = Slug::parse(username)?;
    let actor = Actor::cli("streamer test");
    let row = super::named(streamers, &actor, username).await?;
    let mut said = question(kick, slug, row).await?;
    if said.row.is_none() {
        // On the list it may stand as Kick spells it.
        said.row = super::named(streamers, &actor, said.name.as_str()).await?;
    }
    out.thing(&said.json(), || said.text())
}

async fn question(kick: &dyn KickApi, slug: Slug, row: Option<Streamer>) -> anyhow::Result<ReportedStatus> {
    let mut spellings = vec![slug.clone(), slug.dashed()];
    spellings.dedup();
    let found = kick.channels_named(&spellings).await.map_err(|error| {
        anyhow!("Kick {error}; `streamward kick token` tells whether it knows this installation")
    })?;
    let Some(channel) = found.into_iter().next() else {
        bail!(
            "Kick has no channel called {slug}: take the name from the address of the channel, where _ may be -"
        );
    };
    let mut said = ReportedStatus {
        name: channel.slug,
        ids: KickIds { user: Some(channel.user), ..KickIds::default() },
        answers: vec![Answer { from: "channels", live: Some(channel.live.is_some()), error: None }],
        session: channel.live,
        row,
    };
    match kick.live_among(&[channel.user]).await {
        Ok(live) => {
            let one = live.into_iter().find(|one| one.user == channel.user);
            said.answers.push(Answer { from: "livestreams", live: Some(one.is_some()), error: None });
            if let Some(one) = one {
                said.ids.channel = one.channel;
                let known = said.session.take().unwrap_or_default();
                said.session = Some(known.refreshed(&one.session));
            }
        }
        Err(error) => said.answers.push(failed("livestreams", &error)),
    }
    match kick.ids_on_site(&said.name).await {
        Ok(Some(ids)) => {
            said.ids = said.ids.updated(ids);
            said.answers.push(Answer { from: "web site (unofficial)", live: None, error: None });
        }
        Ok(None) => {
            let error = Some("knows no such channel".to_owned());
            said.answers.push(Answer { from: "web site (unofficial)", live: None, error });
        }
        Err(error) => said.answers.push(failed("web site (unofficial)", &error)),
    }
    Ok(said)
}

fn failed(from: &'static str, error: &RemoteError) -> Answer {
    Answer { from, live: None, error: Some(error.to_string()) }
}

impl ReportedStatus {
    /// One answer that says live is enough; that they are not, one answer does not prove.
    fn verdict(&self) -> &'static str {
        let told: Vec<bool> = self.answers.iter().filter_map(|answer| answer.live).collect();
        match (told.contains(&true), told.len()) {
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
            "verdict": self.verdict(),
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
        let mut lines = vec![
            format!("{}: {}", self.name, self.verdict()),
            format!("  user      {}", or_unknown(self.ids.user)),
            format!("  channel   {}", or_unknown(self.ids.channel)),
        ];
        if let Some(session) = session {
            let none = || "-".to_owned();
            lines
                .push(format!("  title     {}", session.title.as_deref().map_or_else(none, view::printable)));
            lines.push(format!(
                "  category  {}",
                session.category.as_deref().map_or_else(none, view::printable)
            ));
            lines.push(format!(
                "  viewers   {}",
                session.viewers.map_or_else(none, |count| count.to_string())
            ));
        }
        lines.extend(self.answers.iter().map(|answer| format!("  says      {}", answer.text())));
        lines.push(match &self.row {
            None => format!("  here      not on the list: `streamward streamer add {}`", self.name),
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
    async fn one_answer_that_says_live_is_enough_and_each_is_shown() {
        let slug = || Slug::parse("xqc").unwrap();
        for (channels_say, livestreams_say, verdict) in
            [(true, true, "live"), (false, true, "live"), (true, false, "live"), (false, false, "not live")]
        {
            let said = question(&OneUser { channels_say, livestreams_say }, slug(), None).await.unwrap();
            assert_eq!(said.verdict(), verdict);
            assert_eq!(said.json()["live"], verdict == "live");
            let text = said.text();
            let words = |yes| if yes { "live" } else { "not live" };
            assert!(text.contains(&format!("says      channels: {}\n", words(channels_say))), "{text}");
            assert!(text.contains(&format!("says      livestreams: {}\n", words(livestreams_say))), "{text}");
            assert!(text.contains("web site (unofficial): no answer, it cannot do this"), "{text}");
            assert!(text.ends_with("not on the list: `streamward streamer add xqc`"), "{text}");
            assert_eq!(text.contains("channel   668"), livestreams_say, "{text}");
        }
        let kick = OneUser { channels_say: true, livestreams_say: true };
        let unknown = question(&kick, Slug::parse("nobody").unwrap(), None).await.err().unwrap();
        assert!(unknown.to_string().contains("Kick has no channel called nobody"), "{unknown}");
    }
}
