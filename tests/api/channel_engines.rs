//! Channels that the media server itself carries.

use std::time::Duration;

use rstest_reuse::apply;
use serde_json::json;
use streamward::domain::channel::{InputState, InputStatus, ProgrammeStatus, Source};
use streamward::ports::{Clock as _, ReportedProgrammes};

use crate::channels::{KEY, add_destination, create, path};
use crate::harness::{Engine, TestApp, every_engine};

#[apply(every_engine)]
#[tokio::test]
async fn live_encoder_of_the_media_servers_channel_publishes_at_its_path(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let made = create(&app, json!({"name": "Room", "engine": "media_server"})).await.assert_status(201);
    let live = &made.json()["live_key"];
    assert_eq!((&live["path"], &made.json()["engine"]), (&json!("live/Room"), &json!("media_server")));
    let secret = live["key_value"].as_str().expect("a secret");
    assert_eq!(live["ingest"]["obs"]["server"], "rtmp://default.test:1935/live");
    let publish = |path: &str| {
        app.auth(json!({"action": "publish", "path": path, "protocol": "rtmp", "id": "c1",
            "query": format!("key={secret}")}))
    };
    publish("live/Room").await.assert_status(200);
    publish("live/Room/live").await.assert_status(401);
    let key = format!("/stream-keys/{}", live["id"].as_str().expect("an id"));
    app.as_admin().post(&format!("{key}/rotate")).shown_once().await.assert_status(200);
    app.as_admin().delete(&key).await.assert_status(409).assert_problem("of-channel");
    app.as_admin().delete(&path(&made)).await.assert_status(204);
}

#[apply(every_engine)]
#[tokio::test]
async fn what_the_media_server_cannot_do_is_refused(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    for (field, refused) in [
        ("inputs.backup.kind", json!({"inputs": {"backup": {"kind": "stream"}}})),
        ("mismatch", json!({"mismatch": "switch"})),
        ("failover.min_bitrate_kbps", json!({"failover": {"min_bitrate_kbps": 100}})),
    ] {
        let mut draft = json!({"name": "Room", "engine": "media_server"});
        draft.as_object_mut().unwrap().extend(refused.as_object().unwrap().clone());
        create(&app, draft).await.assert_refuses(&[field]);
    }
    let made = create(&app, json!({"name": "Room", "engine": "media_server"})).await.assert_status(201);
    let channel = path(&made);
    let admin = app.as_admin();
    for (field, patch) in
        [("engine", json!({"engine": "mixer"})), ("mismatch", json!({"mismatch": "transcode"}))]
    {
        admin.patch(&channel).json(patch).await.assert_refuses(&[field]);
    }
    admin.patch(&channel).json(json!({"engine": "media_server"})).await.assert_status(200);
    let mode = json!({"mode": "hold_backup", "reason": "a test"});
    admin.post(&format!("{channel}/mode")).json(mode).await.assert_refuses(&["mode"]);
    let mode = json!({"mode": "auto", "reason": "a test"});
    admin.post(&format!("{channel}/mode")).json(mode).await.assert_status(200);
    let rehearsal = json!({"cut_live_for_seconds": 10});
    admin
        .post(&format!("{channel}/rehearsals"))
        .json(rehearsal)
        .await
        .assert_refuses(&["cut_live_for_seconds"]);
    let rotates = json!({"name": "a", "platform": "twitch", "key": KEY, "rotate_session_every_seconds": 60});
    add_destination(&app, &channel, rotates).await.assert_refuses(&["rotate_session_every_seconds"]);
    // What a platform would fill in is left out.
    for platform in ["youtube", "facebook"] {
        let draft = json!({"name": platform, "platform": platform, "key": KEY});
        let made = add_destination(&app, &channel, draft).await.assert_status(201).json();
        assert_eq!((made.get("backup_url"), made.get("rotate_session_every_seconds")), (None, None));
    }
}

#[tokio::test]
async fn nothing_is_on_air_before_the_media_server_took_the_channel() {
    let app = TestApp::memory().await;
    let channel = path(&create(&app, json!({"name": "Room", "engine": "media_server"})).await);
    let id = channel.trim_start_matches("/channels/").parse().expect("an id");
    let (store, _) = app.place.open().await;
    let now = app.clock.now();
    let live =
        InputStatus { problem: Some("needs MediaMTX 1.20.0".into()), ..InputStatus::new(InputState::Absent) };
    let mut status = ProgrammeStatus { live, ..ProgrammeStatus::new(now, Source::Backup) };
    assert_eq!(status.off_air_reason(), Some("needs MediaMTX 1.20.0"));
    let shown = async |status: &ProgrammeStatus| {
        let statuses = vec![(id, status.clone())];
        let reported = ReportedProgrammes { statuses, ..ReportedProgrammes::default() };
        store.record_programmes(&reported, now).await.expect("stored");
        app.as_viewer().get(&format!("{channel}/status")).await.assert_status(200).json()
    };
    let before = shown(&status).await;
    assert_eq!((before.get("on_air"), before.get("reason")), (None, None), "{before}");
    assert_eq!(before["inputs"]["live"]["problem"], "needs MediaMTX 1.20.0");
    // Only a later status replaces the stored one.
    (status.at, status.backup.state) = (now.plus(Duration::from_millis(1)), InputState::OnAir);
    assert_eq!(shown(&status).await["on_air"], "backup");
}
