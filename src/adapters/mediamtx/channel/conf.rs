//! The configuration of a channel's path, and the forwards in it.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;

use crate::adapters::mediamtx::api::{Api, encode_name};
use crate::adapters::mediamtx::dto::{
    AlwaysAvailableConf, ChannelPathConf, Forward, ForwardConf, Forwards, PathItem, TrackConf,
};
use crate::adapters::remote::repeat;
use crate::domain::Timestamp;
use crate::domain::channel::{BackupMedia, Output, OutputId, OutputState, OutputStatus, Programme};
use crate::domain::path::StreamPath;
use crate::ports::RemoteError;

/// A key in the fragment of an address. MediaMTX replaces `$MTX_PATH` and `$G1`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The calls about one path.
pub(super) struct PathSettings<'a> {
    api: &'a Api,
    name: String,
}

impl<'a> PathSettings<'a> {
    pub(super) fn new(api: &'a Api, path: &StreamPath) -> Self {
        Self { api, name: encode_name(path.as_str()) }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &'static str,
        address: String,
    ) -> Result<Option<T>, RemoteError> {
        let answer = self.api.send(endpoint, self.api.request(Method::GET, &address)).await?.found()?;
        answer.map(|answer| answer.json()).transpose()
    }

    /// What happens at the path; `None` if there is none.
    pub(super) async fn state(&self) -> Result<Option<PathItem>, RemoteError> {
        self.get("paths/get", format!("/v3/paths/get/{}", self.name)).await
    }

    /// Its configuration; `None` if it has none of its own.
    pub(super) async fn conf(&self) -> Result<Option<ChannelPathConf>, RemoteError> {
        self.get("config/paths/get", format!("/v3/config/paths/get/{}", self.name)).await
    }

    pub(super) async fn forwards(&self) -> Result<Option<Forwards>, RemoteError> {
        self.get("paths/forward/list", format!("/v3/paths/forward/list?path={}", self.name)).await
    }

    /// Sets the configuration, whatever it was.
    pub(super) async fn set(&self, programme: &Programme, to: &Destinations) -> Result<(), RemoteError> {
        let address = format!("/v3/config/paths/replace/{}", self.name);
        let forward = to.0.iter().map(|one| ForwardConf { dest: one.dest.clone() }).collect();
        let conf = path_conf(programme, forward);
        let set = self.api.post("config/paths/replace", &address, &conf).await?.ok().map(drop);
        set.map_err(|error| match error {
            // It may repeat an address.
            RemoteError::Status { status, message } => {
                RemoteError::Status { status, message: to.masked(&message) }
            }
            other => other,
        })
    }

    pub(super) async fn remove(&self) -> Result<(), RemoteError> {
        let address = format!("/v3/config/paths/delete/{}", self.name);
        let request = self.api.request(Method::DELETE, &address);
        self.api.send("config/paths/delete", request).await?.found().map(drop)
    }
}

fn path_conf(programme: &Programme, forward: Vec<ForwardConf>) -> AlwaysAvailableConf {
    let file = match &programme.backup {
        BackupMedia::Clips(clips) => clips.first().map(|(_, file)| file.clone()),
        BackupMedia::Stream(_) => None,
    };
    // Without a file MediaMTX shows a picture of its own.
    let audio = programme.profile.audio;
    let (rate, channels) = (Some(audio.rate), Some(audio.channels));
    let tracks = vec![
        TrackConf { codec: "H264", sample_rate: None, channel_count: None },
        TrackConf { codec: "MPEG4Audio", sample_rate: rate, channel_count: channels },
    ];
    let always_available_tracks = file.is_none().then_some(tracks);
    AlwaysAvailableConf {
        always_available: true,
        always_available_file: file,
        always_available_tracks,
        forward,
    }
}

/// A destination at its place among the forwards.
struct Destination {
    output: Output,
    /// Its address with the key: a secret.
    dest: String,
    status: OutputStatus,
}

/// The destinations, in the order of the forwards.
#[derive(Default)]
pub(super) struct Destinations(Vec<Destination>);

impl Destinations {
    /// Takes the wanted destinations. MediaMTX knows a forward by its place, so each that is among the `present` ones keeps
    /// its place; when one goes, the last takes its place.
    pub(super) fn set(&mut self, present: Vec<String>, wanted: &[Output], now: Timestamp) {
        let mut known: BTreeMap<OutputId, Destination> =
            std::mem::take(&mut self.0).into_iter().map(|one| (one.output.id, one)).collect();
        let mut wanted: Vec<Destination> = wanted
            .iter()
            .map(|output| {
                let dest = address(output);
                let status = known.remove(&output.id).filter(|one| one.dest == dest).map(|one| one.status);
                Destination {
                    output: output.clone(),
                    dest,
                    status: status.unwrap_or_else(|| OutputStatus::new(now)),
                }
            })
            .collect();
        let mut places: Vec<Option<Destination>> = Vec::new();
        for dest in present {
            let at = wanted.iter().position(|one| one.dest == dest);
            places.push(at.map(|at| wanted.remove(at)));
        }
        // New ones go into free places first.
        let mut new = wanted.into_iter();
        for place in places.iter_mut().filter(|place| place.is_none()) {
            *place = new.next();
        }
        places.extend(new.map(Some));
        while let Some(free) = places.iter().position(Option::is_none) {
            match places.pop().flatten() {
                Some(last) => places[free] = Some(last),
                None => continue,
            }
        }
        self.0 = places.into_iter().flatten().collect();
    }

    /// A text of the media server without keys.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for one in &self.0 {
            let key = one.output.key.expose();
            for secret in [one.dest.as_str(), &encoded(key), key] {
                text = text.replace(secret, "***");
            }
        }
        repeat(&text)
    }

    /// The states, as MediaMTX shows them.
    pub(super) fn statuses(
        &mut self,
        forwards: Option<Forwards>,
        now: Timestamp,
    ) -> Vec<(OutputId, OutputStatus)> {
        let items = forwards.map(|forwards| forwards.items).unwrap_or_default();
        let errors: Vec<String> =
            items.iter().map(|item| self.masked(item.last_error.as_deref().unwrap_or_default())).collect();
        for ((one, item), error) in self.0.iter_mut().zip(items).zip(errors) {
            one.update(&item, error, now);
        }
        self.0.iter().map(|one| (one.output.id, one.status.clone())).collect()
    }
}

impl Destination {
    fn update(&mut self, item: &Forward, error: String, now: Timestamp) {
        let (before, status) = (self.status.state, &mut self.status);
        let is_sending = item.outbound_bytes > status.bytes;
        let state = match item.state.as_str() {
            "forwarding" if is_sending => OutputState::Live,
            "forwarding" if before == OutputState::Live => OutputState::Stalled,
            "forwarding" if before == OutputState::Stalled => before,
            "error" => OutputState::BackingOff,
            _ => OutputState::Connecting,
        };
        let is_connected = matches!(before, OutputState::Live | OutputState::Stalled);
        status.connects += u64::from(state == OutputState::Live && !is_connected);
        if state != before {
            (status.state, status.since) = (state, now);
        }
        if !error.is_empty() {
            status.last_error = Some(error);
        }
        status.bytes = item.outbound_bytes;
    }
}

fn encoded(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

/// The address of a forward: the key is its fragment.
fn address(output: &Output) -> String {
    format!("{}#{}", output.url.replace('$', "%24"), encoded(output.key.expose()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::channel::DestinationId;
    use crate::domain::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn output(id: u128) -> Output {
        Output {
            id: OutputId::Destination(DestinationId(Uuid::from_u128(id))),
            url: "rtmp://host/live".to_owned(),
            backup_url: None,
            key: Secret::new(format!("k$ey/{id}")),
            rotate_session_every: None,
        }
    }

    fn order(present: &[u128], wanted: &[u128]) -> Vec<String> {
        let mut destinations = Destinations::default();
        let wanted: Vec<Output> = wanted.iter().map(|id| output(*id)).collect();
        destinations.set(present.iter().map(|id| address(&output(*id))).collect(), &wanted, NOW);
        destinations.0.iter().map(|one| one.output.key.expose().replace("k$ey/", "")).collect()
    }

    #[test]
    fn destination_keeps_its_place_and_the_last_fills_a_free_one() {
        assert_eq!(order(&[], &[1, 2, 3]), ["1", "2", "3"]);
        assert_eq!(order(&[3, 1], &[1, 2, 3]), ["3", "1", "2"]);
        assert_eq!(order(&[1, 2, 3], &[2, 3]), ["3", "2"]);
        assert_eq!(order(&[1, 2, 3], &[2, 3, 4]), ["4", "2", "3"]);
        assert_eq!(order(&[1, 2, 3], &[1]), ["1"]);
        assert_eq!(order(&[1, 2, 3], &[3]), ["3"]);
        assert_eq!(order(&[9, 8], &[]), Vec::<String>::new());
    }

    #[test]
    fn key_is_the_fragment_of_the_address_and_is_masked_in_every_text() {
        assert_eq!(address(&output(1)), "rtmp://host/live#k%24ey%2F1");
        let mut destinations = Destinations::default();
        destinations.set(Vec::new(), &[output(1)], NOW);
        let text = "no rtmp://host/live#k%24ey%2F1, no k%24ey%2F1, no k$ey/1";
        assert_eq!(destinations.masked(text), "no ***, no ***, no ***");
    }

    #[test]
    fn state_is_that_of_the_forward() {
        let mut destinations = Destinations::default();
        destinations.set(Vec::new(), &[output(1)], NOW);
        let mut see = |state: &str, bytes: u64, error: Option<&str>| {
            let item = Forward {
                state: state.to_owned(),
                last_error: error.map(str::to_owned),
                outbound_bytes: bytes,
            };
            let seen =
                destinations.statuses(Some(Forwards { items: vec![item] }), Timestamp::from_seconds(1));
            let status = seen[0].1.clone();
            (status.state, status.connects, status.last_error)
        };
        assert_eq!(see("forwarding", 0, None), (OutputState::Connecting, 0, None));
        assert_eq!(see("forwarding", 10, None), (OutputState::Live, 1, None));
        assert_eq!(see("forwarding", 20, None), (OutputState::Live, 1, None));
        assert_eq!(see("forwarding", 20, None), (OutputState::Stalled, 1, None));
        assert_eq!(see("forwarding", 30, None), (OutputState::Live, 1, None));
        let words = Some("refused ***".to_owned());
        assert_eq!(see("error", 30, Some("refused k$ey/1")), (OutputState::BackingOff, 1, words.clone()));
        assert_eq!(see("forwarding", 40, None), (OutputState::Live, 2, words));
    }
}
