//! How the keys of channels and destinations are sealed, each for its row.

use crate::domain::channel::{ChannelId, DestinationId};
use crate::domain::seal::{OpenError, Sealer};
use crate::domain::secret::{KeySecret, Secret};
use crate::ports::StoredProgramme;

fn programme_key(id: ChannelId) -> String {
    format!("channels|programme_key|{id}")
}

fn stream_key(id: DestinationId) -> String {
    format!("destinations|stream_key|{id}")
}

/// Seals the secret of the key that publishes a channel's programme.
pub(super) fn seal_programme_key(
    sealer: &Sealer,
    id: ChannelId,
    secret: &KeySecret,
    random: [u8; 32],
) -> String {
    sealer.seal(&programme_key(id), &Secret::new(secret.expose()), random)
}

/// Opens it.
pub(super) fn open_programme_key(
    sealer: &Sealer,
    id: ChannelId,
    sealed: &str,
) -> Result<KeySecret, OpenError> {
    let opened = sealer.open(&programme_key(id), sealed)?;
    KeySecret::parse(opened.expose()).ok_or(OpenError::Damaged)
}

/// Seals the key of a destination.
pub(super) fn seal_key(sealer: &Sealer, id: DestinationId, key: &Secret, random: [u8; 32]) -> String {
    sealer.seal(&stream_key(id), key, random)
}

/// Opens it.
pub(super) fn open_key(sealer: &Sealer, id: DestinationId, sealed: &str) -> Result<Secret, OpenError> {
    sealer.open(&stream_key(id), sealed)
}

/// The keys of a channel that cannot be opened, and why.
pub fn unusable_keys(sealer: &Sealer, stored: &StoredProgramme) -> Vec<String> {
    let StoredProgramme { channel, sealed_programme_key, destinations, .. } = stored;
    let programme = open_programme_key(sealer, channel.id, sealed_programme_key).err();
    let programme = programme.map(|error| format!("the key that publishes its programme: {error}"));
    let destinations = destinations.iter().filter_map(|(one, sealed)| {
        let error = open_key(sealer, one.id, sealed).err()?;
        Some(format!("the key of the destination {}: {error}", one.name))
    });
    programme.into_iter().chain(destinations).collect()
}
