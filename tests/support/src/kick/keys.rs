//! Two RSA keys made for these tests, and webhooks signed with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rsa::PublicKeyComponents;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// A key to sign with.
#[derive(Clone, Copy, Debug)]
pub struct TestKey {
    /// PKCS#8, base64. A test key: it protects nothing.
    private: &'static str,
    /// The public half in PEM, as `/public/v1/public-key` shows it.
    pub public_pem: &'static str,
}

/// The key that the stand-in names as its own.
pub const TEST_KEY: TestKey = TestKey { private: TEST_ONLY_PRIVATE_KEY, public_pem: TEST_PUBLIC_KEY };
/// Another one, for forgeries and for a change of Kick's key.
pub const OTHER_TEST_KEY: TestKey =
    TestKey { private: OTHER_TEST_ONLY_PRIVATE_KEY, public_pem: OTHER_TEST_PUBLIC_KEY };

impl TestKey {
    fn pair(&self) -> RsaKeyPair {
        let private = STANDARD.decode(self.private).expect("base64");
        RsaKeyPair::from_pkcs8(&private).expect("a key")
    }

    /// The signature of a message (PKCS#1 v1.5, SHA-256).
    ///
    /// # Panics
    /// If the key cannot be read.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let pair = self.pair();
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("a signature");
        signature
    }

    /// Modulus and exponent of the public half.
    ///
    /// # Panics
    /// If the key cannot be read.
    pub fn public(&self) -> [Vec<u8>; 2] {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.pair().public());
        [n, e]
    }
}

/// A webhook as Kick sends it.
#[derive(Clone, Debug)]
pub struct SignedWebhook {
    /// `Kick-Event-Message-Id`.
    pub message_id: String,
    /// `Kick-Event-Message-Timestamp`.
    pub timestamp: String,
    /// `Kick-Event-Signature`.
    pub signature: String,
    /// `Kick-Event-Type`.
    pub kind: String,
    /// `Kick-Event-Version`.
    pub version: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

impl SignedWebhook {
    /// A `livestream.status.updated`, signed with `key`. `timestamp` is RFC 3339.
    ///
    /// # Panics
    /// If the key cannot be read.
    pub fn new(key: &TestKey, message_id: &str, timestamp: &str, body: &Value) -> Self {
        Self::raw(key, message_id, timestamp, body.to_string().into_bytes())
    }

    /// The same with any body.
    ///
    /// # Panics
    /// If the key cannot be read.
    pub fn raw(key: &TestKey, message_id: &str, timestamp: &str, body: Vec<u8>) -> Self {
        let signature = key.sign(&[message_id.as_bytes(), b".", timestamp.as_bytes(), b".", &body].concat());
        Self {
            message_id: message_id.to_owned(),
            timestamp: timestamp.to_owned(),
            signature: STANDARD.encode(signature),
            kind: "livestream.status.updated".to_owned(),
            version: "1".to_owned(),
            body,
        }
    }

    /// Its headers by name.
    pub fn headers(&self) -> [(&'static str, &str); 5] {
        [
            ("Kick-Event-Message-Id", &self.message_id),
            ("Kick-Event-Message-Timestamp", &self.timestamp),
            ("Kick-Event-Signature", &self.signature),
            ("Kick-Event-Type", &self.kind),
            ("Kick-Event-Version", &self.version),
        ]
    }
}

/// The body of a webhook: `user` went live.
pub fn went_live(user: u64, slug: &str, started_at: &str, title: &str) -> Value {
    status(user, slug, true, started_at, title, Value::Null)
}

/// The body of a webhook: `user` stopped.
pub fn stopped(user: u64, slug: &str, started_at: &str, ended_at: &str) -> Value {
    status(user, slug, false, started_at, "", json!(ended_at))
}

fn status(user: u64, slug: &str, is_live: bool, started_at: &str, title: &str, ended_at: Value) -> Value {
    json!({
        "broadcaster": {"is_anonymous": false, "user_id": user, "username": slug, "is_verified": false,
            "profile_picture": "https://files.example/p.webp", "channel_slug": slug, "identity": null},
        "is_live": is_live, "title": title, "started_at": started_at, "ended_at": ended_at,
    })
}

/// A test key: it protects nothing.
const TEST_ONLY_PRIVATE_KEY: &str = concat!(
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCs5yDLQB+bMAT/dDfrlGduXNy7U0uaveTNsnHFZ35ba0xDh/sI",
    "+ZFLuI/z3nFREW+9Ma/VMqiCjHZ/eCjRR7r0xD6r1fuTw4yggChXVCBkUtfqdQlSpzFeLtvDQyWnRMZfj4OJoQYeGX6pVzXmHUyp",
    "OgTn4nkv0vXFmdCSx+kwXeuPWJ0ITnk5Z3iM1A+UnqWp461jiAaAgEe23eCQG04QkJYrW4dFZeqHvl5y+TiocJe8Euwa/5csa11y",
    "Gc9Nl/7HO2x7QvqwlV34cxNAoBS7BLIjFb6Fhmn7dkwyyZRzIz9s22Fn8Y4kXGaOdvGWSry1FdShJV887cjKWVSh6nGvAgMBAAEC",
    "ggEAHmB0+ICJjQBAwIiwkmj+SvtxpE+cBtG58xGYv2/RWUpemba4Oflut3jzgYrhKbcAhKLIG5LM3DLFVtvLgAk0JXCc+h+cFXfT",
    "qxcY/06+aiHL4VsyihzppXxiC8ouQVbp6zwRhgqOQpeEE0hJJeab41dYKU02sVpE57SAWmlY5LAxj51wPh9Gw+HEGh9FY4q4PRbj",
    "C0cCQKDCCBT8DZcv5+LkzLHQOpem+2o4uEDllabrrMC8dmrU4DM9ssb8ws3fok1qmhwIpHfQ86F3w+WvshUd0lu7shaKUCjQyRN8",
    "nsE6Zx6OP9fax8jqWOvzqOTx4RkuwdOpsf+VPcZNrufhAQKBgQDYhKtkCtsX4Wj8ST3maaSuj7vzBGX/jLlBJQY4/HujbVVd7Dwv",
    "u2h8y27OBwmTzRyt0j4AEPd8iS7Nb2lJBpw2Vhla6d6SvWqhEzzcIgPzHY3VrT9TUcFFKNcxiSYDuM14pCjqmFtO33FTT6xpBs+d",
    "SkcDJKmXxsAd8d0NDPG8wQKBgQDMbnCSbJYAM2Kr2MoQvLHBNjBw0YwBAG2hkKnk+T/C2T3fXW+KfWiEH5/qA2a7WFwFlFsZJe20",
    "vUq//ZrhClDLmF/nKAjJO9x839JmIs1ST/BwD1mCEANM9iBC8+TOWscN4UQyz6EJ9ef1oitqWSDKtJm6KaztLX1qKNk6nW4abwKB",
    "gFbrI3ac2QlEJwYoTN4jiMW+07+iA2RMVM4vE8lqqiOYL43t2Nd8j1yRuiChOJoJ3Dp3TQZvyTpIQ+6ajBSRv8IcXD9f5UbZHWYe",
    "N+9TBGzjb13ZF7PV/RVLaN/s48LYvDtzAy3yDa2jC3ZbZKYg4tWMzOcZH6/bTKJ4xrmHeb/BAoGAGFvcfAYGRZXZ3wIg6aeiQpRz",
    "Zy4A0am8ZnD3XXo5l70M+02F2emhh4TBKEApgI9Bv8RyqmdzkIKxonjUeJYjFG9elguWKGxClHqS9mqVLoap7qBVmQLRcd0t8Oxg",
    "yhnU+BlsZ+WHmck8T294Xt6p4p1sZ9tJaKVv+TNO1wYlNW8CgYBbseAuwZW0r2tuOfEKAEsKTye6RRvaTkPilUtyc/9x4i60JLkT",
    "PIDdvNkDwCW3eztFDX1O6cIUQut6FG8E9RDi2vCW5mKVXwhAX0haSfskBXRFiRkgV18m3AU0d9UHWLQ5Fz7Qz3hAZUjLMJTyCuui",
    "snpXkj7t3k3ylKNAsjg6xA==",
);
const TEST_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArOcgy0AfmzAE/3Q365Rn
blzcu1NLmr3kzbJxxWd+W2tMQ4f7CPmRS7iP895xURFvvTGv1TKogox2f3go0Ue6
9MQ+q9X7k8OMoIAoV1QgZFLX6nUJUqcxXi7bw0Mlp0TGX4+DiaEGHhl+qVc15h1M
qToE5+J5L9L1xZnQksfpMF3rj1idCE55OWd4jNQPlJ6lqeOtY4gGgIBHtt3gkBtO
EJCWK1uHRWXqh75ecvk4qHCXvBLsGv+XLGtdchnPTZf+xztse0L6sJVd+HMTQKAU
uwSyIxW+hYZp+3ZMMsmUcyM/bNthZ/GOJFxmjnbxlkq8tRXUoSVfPO3IyllUoepx
rwIDAQAB
-----END PUBLIC KEY-----
";
/// Another test key: it protects nothing.
const OTHER_TEST_ONLY_PRIVATE_KEY: &str = concat!(
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC4fqIjcV37IzuanW5HfcQuzIeS965u7q2aqmqAVVoE80EswqQV",
    "+dr+rta9/PNo47zISQ+iLmQfsduI0iD1EJHGibNropBtJmZi1gD9KTwZvKoXjcD0zItL0V7vE3WbN39bBhAESR64Nguv7pCA4TA2",
    "Z28GbUdez/zHV80MOBvh99IAG6lUlL0eyuheIgiZ3IfoPYUn5bghlvTga0g82xKiIxe7vxkvYeMuYj+c71apHHoYycvZ7RMS0NKr",
    "Qn0uem9mSpiggKHS6ZhIKKTnE8xwCWzwozlFo0VnQR8SGelBu7jvU30zGAFx7g6rxiY1CL8t19BDbLb7tH9eVswwEiXtAgMBAAEC",
    "ggEACrISBZVS6iDsGas6yMY6aK7OxURlRmUWh2WNxbbXqyXMXM3ujp+XhIrvmWq1VHAEx7pZ6lW01D7kB+s2oekTVREykkYwXUOL",
    "9/rev85zf4J30eRpOp0zuMeAhhejX8Y4ieGwwq7X1by8XLdV2pgzdVP1vxz4CupqhcafSoVjiGv+En9kHIMM0KOUdt9AjJPzHPOS",
    "Ys1SSyPSmZTs5z9uQ0smWUX9S6IUtvWBqAdCp1e6twptSo4i7naA+q0P8mQPJv/Z+9HOWqddbPY6AoD7SyOLgK1mqtEvsZWWLtDy",
    "Gak2Tnx3vl6oRNr5ycuxvenSz4V16oZ6T72J/hzMLZwCgQKBgQD50+fTpvxpKzhId8lrW1uXFeh4WxC9Y5KyRCYTqp8daPvOaJ/k",
    "oS/1LSfKq+xeZdv21FgwBmecKxpnKQIXjI0GHl43F8eeVupTq58I7g6N5MF5+neMnncyMiC6ioPjMNusoLHFtCUn6Y7AY/4j/I1A",
    "889jLIp3eWxmcpJkSX6XsQKBgQC9DYNkZV//nMKo5fYCMPL4CbexxEWcPnsAcDDS5zNdv6OayAa6+2SfAo+g/psGAzcH3V1qzA7o",
    "6sKhg18rlm1raSQ9h7+mbHlEDOgCymqZDNG4jOgdHk9wDO0zC57ELA2k69hS/3utrbT4V1BIXhCfyAHcW4pIbu5dZxwSB+T8/QKB",
    "gE24IpKxjCybiXLh8QM49JFX+24VxmtkoqpakQ3lMoLPuiZIXhWeH3FCjvJ58ZqcTYXIIXcvRuRKdHhLRZ9V1jllESJKf4s+tr84",
    "0MzSYiy6UYZE6RQR6DrxZUUi+kyfUnettiAvHq//9Kzdbp57XuYp8waDQMBSQerNEcWpJ3zBAoGAd1POOVJbc6XooF72Fo/67GCF",
    "1+jA30v4q2AlERnprCTICWx0AxWmf09IhR/vja390DMDQeOnDZEQZI3dRk/epMtqmoPSjiMtr6xNzWUiP5R903TtFWQKU/l0xqFx",
    "BvWfbxeGJW0pDYj1D0NdYzAsYg4GTqZg9DNAtSfd6eudt6kCgYBi99EyiKeoX4Q5REl1i7Bfqm4lg8NlYV8I2a7f1gqkOymJ3Yx3",
    "cj1quBgAI2ZoHlDj9QlamMBEheEniIkvTgtCAnvdpmAPi6pubHI5kIevlIDpGwNhm3Y+x3iU42WVVrjJ36fE5Nt19NJPMAN97rNU",
    "qNHOgkpOxDB5oAKlURO9aA==",
);
const OTHER_TEST_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuH6iI3Fd+yM7mp1uR33E
LsyHkveubu6tmqpqgFVaBPNBLMKkFfna/q7WvfzzaOO8yEkPoi5kH7HbiNIg9RCR
xomza6KQbSZmYtYA/Sk8GbyqF43A9MyLS9Fe7xN1mzd/WwYQBEkeuDYLr+6QgOEw
NmdvBm1HXs/8x1fNDDgb4ffSABupVJS9HsroXiIImdyH6D2FJ+W4IZb04GtIPNsS
oiMXu78ZL2HjLmI/nO9WqRx6GMnL2e0TEtDSq0J9LnpvZkqYoICh0umYSCik5xPM
cAls8KM5RaNFZ0EfEhnpQbu471N9MxgBce4Oq8YmNQi/LdfQQ2y2+7R/XlbMMBIl
7QIDAQAB
-----END PUBLIC KEY-----
";
