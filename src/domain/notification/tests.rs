//! Tests of filters, messages, addresses, retries and signatures.

use std::net::IpAddr;

use uuid::Uuid;

use super::*;

/// The example of the Standard Webhooks libraries.
#[test]
fn signature_is_that_of_the_standard() {
    let secret = SigningSecret::stored("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}");
    let made = signature(std::slice::from_ref(&secret), id, 1_614_265_330, body);
    assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let two = signature(&[secret, SigningSecret::from_random([7; 32])], id, 1_614_265_330, body);
    assert!(two.starts_with(&format!("{made} v1,")), "{two}");
}

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    let is = |text: &str| is_public(text.parse::<IpAddr>().unwrap());
    for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "100.63.0.1", "172.32.0.1"] {
        assert!(is(public), "{public}");
    }
    for private in [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:a00:1::",
        "2001::1",
        "2001:db8::1",
        "ff02::1",
    ] {
        assert!(!is(private), "{private}");
    }
}

fn delivery() -> Delivery {
    Delivery {
        id: DeliveryId(Uuid::nil()),
        notification_id: NotificationId(Uuid::nil()),
        seq: 1,
        subject: Uuid::nil(),
        event: "stream.ended".into(),
        created_at: Timestamp::from_seconds(0),
        state: DeliveryState::Pending,
        attempts: 0,
        next_attempt_at: Some(Timestamp::from_seconds(0)),
        give_up_at: Timestamp::from_seconds(86_400),
        last_status: None,
        last_words: None,
        delivered_at: None,
    }
}

#[test]
fn failed_message_is_tried_ever_less_often_until_its_time_is_over() {
    let reply = Reply { status: Some(500), words: "oops".into(), is_taken: false };
    let (mut one, mut now, mut waits) = (delivery(), Timestamp::from_seconds(0), Vec::new());
    while one.state == DeliveryState::Pending {
        one = one.attempted(&reply, now, Duration::from_secs(5), 128);
        let Some(next) = one.next_attempt_at else { break };
        waits.push(next.since(now).as_secs());
        now = next;
    }
    assert_eq!((one.state, now), (DeliveryState::Dead, Timestamp::from_seconds(86_400)));
    assert_eq!(waits.get(..3), Some(&[5, 10, 20][..]));
    assert!(waits.iter().all(|wait| *wait <= 4_500) && waits.len() > 24, "{waits:?}");
    let jittered = |jitter| wait(1, Duration::from_secs(100), jitter).as_secs();
    assert_eq!((jittered(0), jittered(255)), (75, 125));
}

#[test]
fn receiver_that_is_gone_gets_no_second_attempt() {
    let reply = Reply { status: Some(410), words: String::new(), is_taken: false };
    let one = delivery().attempted(&reply, Timestamp::from_seconds(1), Duration::from_secs(5), 0);
    assert_eq!((one.state, one.next_attempt_at), (DeliveryState::Dead, None));
}

#[test]
fn unusable_targets_are_refused_and_secret_ones_are_not_shown() {
    assert!(Kind::Webhook.check_target("https://example.org/hook").is_ok());
    for bad in ["", "example.org", "ftp://example.org", "https://example.org/#x"] {
        assert_eq!(Kind::Webhook.check_target(bad).unwrap_err().0[0].field, "target", "{bad}");
    }
    assert!(
        Kind::Email.check_target("nobody").is_err() && Kind::Ntfy.check_target("https://ntfy.sh/").is_err()
    );
    assert_eq!(Kind::Discord.shown_target("https://discord.com/api/webhooks/1/token"), "discord.com");
}
