//! Carries out what the director decided, one command after the other.

use tokio::sync::mpsc;

use super::outside::{Message, Outside};
use super::player::Playing;
use super::scenes;
use crate::domain::studio::{Command, Item, Media, Play};
use crate::ports::ObsError;
use crate::ports::obs_values::{MediaLocation, Transition};

/// Carries out commands until nobody sends any more.
pub(super) async fn run(outside: Outside, mut commands: mpsc::Receiver<Command>) {
    while let Some(command) = commands.recv().await {
        if !outside.lease.is_valid() {
            tracing::warn!(studio = %outside.setup.name, "a command is dropped: this instance may not act any more");
            continue;
        }
        match command {
            Command::SwitchScene { .. } | Command::Play(_) => show(&outside, &command).await,
            Command::StartStream => {
                report(&outside, "start the stream", outside.setup.obs.start_stream().await.map(drop));
            }
            Command::StopStream => {
                report(&outside, "stop the stream", outside.setup.obs.stop_stream().await.map(drop));
            }
            Command::RestartObs { attempt } => restart(&outside, attempt).await,
        }
    }
}

fn report(outside: &Outside, what: &'static str, result: Result<(), ObsError>) {
    if let Err(error) = result {
        tracing::warn!(studio = %outside.setup.name, command = what, %error, "OBS did not do it; it is tried again");
    }
}

/// Shows something. If a person deleted a scene or input of ours, it is made again.
async fn show(outside: &Outside, command: &Command) {
    let mut result = show_once(outside, command).await;
    if let Err(ObsError::NotFound(what)) = &result {
        tracing::warn!(studio = %outside.setup.name, missing = what, "OBS has it no more; it is made again");
        outside.make_scenes().await;
        result = show_once(outside, command).await;
    }
    report(outside, "show a scene or content", result);
}

async fn show_once(outside: &Outside, command: &Command) -> Result<(), ObsError> {
    match command {
        Command::SwitchScene { scene, fade } => {
            let transition = if fade.is_zero() { Transition::Cut } else { Transition::Fade(*fade) };
            outside.setup.obs.set_transition(transition).await?;
            outside.setup.obs.switch_scene(scene.as_str()).await
        }
        Command::Play(play) => self::play(outside, play).await,
        Command::StartStream | Command::StopStream | Command::RestartObs { .. } => Ok(()),
    }
}

async fn play(outside: &Outside, play: &Play) -> Result<(), ObsError> {
    let (input, location, is_live) = match &play.item {
        Item::Failover(path) => (scenes::FAILOVER, MediaLocation::File(path.clone()), false),
        Item::Content(source) => match &source.media {
            Media::VideoFile { path } => (scenes::CONTENT, MediaLocation::File(path.clone()), false),
            Media::LiveInput { url } => (scenes::CONTENT, MediaLocation::Address(url.clone()), true),
            Media::SceneComposition { .. } => return Ok(()),
        },
    };
    outside.setup.obs.set_media(input, &scenes::media(location)).await?;
    let sent_at = outside.clock.now();
    let (turn, position) = (play.turn, play.position);
    let input = input.to_owned();
    outside.send(Message::Sent(Playing { turn, input, position, is_live, sent_at })).await;
    Ok(())
}

async fn restart(outside: &Outside, attempt: u32) {
    let Some(launcher) = outside.setup.launcher.clone() else { return };
    tracing::warn!(studio = %outside.setup.name, attempt, "OBS is restarted");
    let restarted = launcher.restart().await.map_err(|error| error.to_string());
    outside.send(Message::Restarted(restarted)).await;
}
