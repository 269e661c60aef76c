//! The scenes and inputs that a studio needs in OBS. What is missing is made; what is there is never changed.

use strum::VariantArray as _;

use crate::domain::studio::{ScenePurpose, Scenes};
use crate::ports::obs_values::{Creation, Media, MediaLocation, NewInput};
use crate::ports::{ObsControl, ObsError};

/// Plays the content of the schedule, in the automated scene.
pub(super) const CONTENT: &str = "Streamward Content";
/// Plays the failover content, in the failover scene.
pub(super) const FAILOVER: &str = "Streamward Failover";
/// Plays files to verify them.
pub(super) const CHECK: &str = "Streamward Check";
/// The scene for that, which is never on air. In OBS, a scene and an input cannot have the same name.
const CHECKS: &str = "Streamward Checks";

const BACKGROUND: [u8; 3] = [24, 40, 72];

/// What was made, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The scenes that were made now.
    pub(super) made: Vec<ScenePurpose>,
    /// Those that are missing.
    pub(super) missing: Vec<ScenePurpose>,
    /// Why, or why an input is missing.
    pub(super) problem: Option<ObsError>,
}

/// Makes the scenes and inputs that are missing.
pub(super) async fn make(obs: &dyn ObsControl, scenes: &Scenes) -> Made {
    let mut result = Made::default();
    for purpose in ScenePurpose::VARIANTS {
        match obs.create_scene(scenes.name(*purpose).as_str()).await {
            Ok(Creation::Existed) => {}
            Ok(Creation::Created) => {
                result.made.push(*purpose);
                // A scene without a picture is on air all the same.
                if let Err(error) = decorate(obs, scenes.name(*purpose).as_str(), *purpose).await {
                    tracing::warn!(scene = %scenes.name(*purpose), %error, "a new scene has no picture; add one in OBS");
                }
            }
            Err(error) => {
                result.missing.push(*purpose);
                result.problem = Some(error);
            }
        }
    }
    if result.missing.is_empty() {
        result.problem = players(obs, scenes).await.err();
    }
    result
}

/// Makes the media inputs that are missing.
async fn players(obs: &dyn ObsControl, scenes: &Scenes) -> Result<(), ObsError> {
    obs.create_scene(CHECKS).await?;
    let nothing = NewInput::Media(media(MediaLocation::File(String::new())));
    for (scene, input) in [
        (scenes.name(ScenePurpose::Automated).as_str(), CONTENT),
        (scenes.name(ScenePurpose::Failover).as_str(), FAILOVER),
        (CHECKS, CHECK),
    ] {
        // An input has one name in all of OBS. A person may have moved it to another scene.
        let is_there = obs.scene_items(scene).await?.iter().any(|item| item.source == input);
        if !is_there && obs.create_input(scene, input, &nothing).await? == Creation::Existed {
            tracing::warn!(
                scene,
                input,
                "an input of ours is not in its scene; add it to the scene in OBS, or delete it"
            );
        }
    }
    Ok(())
}

/// What an input plays: at once, on air or not, and once.
pub(super) fn media(location: MediaLocation) -> Media {
    Media { location, looping: false, restart_on_activate: false }
}

/// A picture for a new scene.
async fn decorate(obs: &dyn ObsControl, scene: &str, purpose: ScenePurpose) -> Result<(), ObsError> {
    let text = match purpose {
        ScenePurpose::TechnicalDifficulties => "Technical difficulties. We are back soon.",
        ScenePurpose::GoingLiveSoon => "Going live soon",
        ScenePurpose::Automated | ScenePurpose::Owner | ScenePurpose::Failover => return Ok(()),
    };
    obs.create_input(scene, &format!("{scene} background"), &NewInput::Colour(BACKGROUND)).await?;
    obs.create_input(scene, &format!("{scene} text"), &NewInput::Text(text.to_owned())).await.map(drop)
}
