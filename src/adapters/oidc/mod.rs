//! A client of OpenID Connect (Core 1.0, Discovery 1.0): the authorization code flow with PKCE (RFC 7636).
//!
//! `http.rs` calls the provider, with what an operator registered there (`settings.rs`). `known.rs` reads what it publishes of
//! itself, `token.rs` verifies ID tokens, `jws.rs` their signatures.

mod http;
mod jws;
mod known;
mod settings;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use url::Url;

use crate::domain::Timestamp;
use crate::domain::secret::Secret;
use crate::domain::user::{Identity, Person};
use crate::ports::{IdentityError, IdentityProvider, RemoteError, SignInRequest};
use http::Http;
use known::{Known, KnownProvider};
pub use settings::OidcSettings;

/// How long a sign-in waits for the provider in all.
const LONGEST: Duration = Duration::from_secs(8);
/// Longest subject (OpenID Connect Core 2).
const LONGEST_SUBJECT: usize = 255;

/// A provider.
pub struct OidcProvider {
    settings: OidcSettings,
    http: Http,
    known: KnownProvider,
}

impl OidcProvider {
    /// Does not connect yet. [`RemoteError::Unsupported`] if the issuer is no http(s) address.
    pub fn new(settings: OidcSettings) -> Result<Self, RemoteError> {
        jws::install();
        let http = Http::new(&settings.issuer)?;
        Ok(Self { settings, http, known: KnownProvider::default() })
    }

    async fn known(&self) -> Result<Arc<Known>, RemoteError> {
        self.known.get(&self.http, &self.settings.issuer).await
    }

    /// What the ID token says. An unknown key may be new, so the keys are read once more.
    async fn verified(
        &self,
        known: Arc<Known>,
        id_token: &str,
        nonce: &Secret,
        now: Timestamp,
    ) -> Result<Map<String, Value>, IdentityError> {
        let expected = token::Expected { client_id: &self.settings.client_id, nonce, now };
        match token::verify(id_token, &known, &expected) {
            Err(token::Invalid::UnknownKey) => {
                let renewed = self.known.renew(&known, &self.http, &self.settings.issuer).await?;
                token::verify(id_token, &renewed, &expected)
            }
            verified => verified,
        }
        .map_err(|invalid| IdentityError::Invalid(format!("its ID token is not valid: {invalid}")))
    }

    async fn redeem(
        &self,
        code: &Secret,
        request: &SignInRequest<'_>,
        now: Timestamp,
    ) -> Result<Person, IdentityError> {
        let known = self.known().await?;
        let endpoint = (known.token_endpoint.clone(), known.secret_in_body);
        let tokens = self.http.exchange(endpoint, &self.settings, code, request).await?;
        let userinfo = known.userinfo_endpoint.clone();
        let mut claims = self.verified(known, tokens.id_token.expose(), request.nonce, now).await?;
        let is_complete = claims.contains_key("email") && !self.values(&claims).is_empty();
        if let (false, Some(endpoint), Some(access)) = (is_complete, userinfo, tokens.access_token) {
            let more = self.http.userinfo(endpoint, &access).await?;
            // Answers about somebody else must not be used (OpenID Connect Core 5.3.2).
            if more.get("sub") != claims.get("sub") {
                return Err(IdentityError::Invalid("its user info is about somebody else".to_owned()));
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        self.read(&claims)
    }

    fn read(&self, claims: &Map<String, Value>) -> Result<Person, IdentityError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let is_subject =
            |subject: &&str| subject.len() <= LONGEST_SUBJECT && !subject.contains(char::is_control);
        let subject = text("sub").filter(is_subject);
        let subject = subject.ok_or_else(|| IdentityError::Invalid("it names nobody (sub)".to_owned()))?;
        let identity = Identity { issuer: self.settings.issuer.clone(), subject: subject.to_owned() };
        let is_unverified = claims.get("email_verified").is_some_and(|verified| {
            // Some providers send it as a text.
            verified == &Value::Bool(false) || verified.as_str().is_some_and(|text| text != "true")
        });
        let email = text("email").filter(|_| !is_unverified).map(str::to_owned);
        let name = text("name").or_else(|| text("preferred_username")).map(str::to_owned);
        Ok(Person { identity, email, name, values: self.values(claims) })
    }

    /// The values of the claim that gives roles: a list of texts, or one text.
    fn values(&self, claims: &Map<String, Value>) -> Vec<String> {
        let name = self.settings.roles_claim.as_str();
        let found = claims.get(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
        });
        match found {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

#[async_trait]
impl IdentityProvider for OidcProvider {
    fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    async fn sign_in_url(&self, request: &SignInRequest<'_>) -> Result<String, RemoteError> {
        let known = timeout(LONGEST, self.known()).await.map_err(|_| RemoteError::TimedOut)??;
        let mut url: Url = known.authorization_endpoint.clone();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(request.verifier.expose()));
        let mut scope = "openid".to_owned();
        for more in &self.settings.scopes {
            scope = format!("{scope} {more}");
        }
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", request.redirect_uri)
            .append_pair("scope", &scope)
            .append_pair("state", request.state.expose())
            .append_pair("nonce", request.nonce.expose())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    async fn person(
        &self,
        code: &Secret,
        request: &SignInRequest<'_>,
        now: Timestamp,
    ) -> Result<Person, IdentityError> {
        timeout(LONGEST, self.redeem(code, request, now)).await.map_err(|_| RemoteError::TimedOut)?
    }

    async fn check(&self) -> Result<(), RemoteError> {
        let read = known::read(&self.http, &self.settings.issuer);
        timeout(LONGEST, read).await.map_err(|_| RemoteError::TimedOut)?.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(roles_claim: &str, claims: &Value) -> Result<Person, IdentityError> {
        let settings = OidcSettings {
            issuer: "https://login.example".into(),
            client_id: "streamward".into(),
            client_secret: None,
            scopes: vec![],
            roles_claim: roles_claim.into(),
        };
        OidcProvider::new(settings).unwrap().read(claims.as_object().unwrap())
    }

    #[test]
    fn roles_are_a_list_or_a_text_also_within_other_claims() {
        for (claim, claims) in [
            ("groups", json!({"sub": "1", "groups": ["a", "b", 7]})),
            ("realm_access.roles", json!({"sub": "1", "realm_access": {"roles": ["a", "b"]}})),
            ("https://x.example/roles", json!({"sub": "1", "https://x.example/roles": ["a", "b"]})),
        ] {
            assert_eq!(read(claim, &claims).unwrap().values, ["a", "b"], "{claim}");
        }
        assert_eq!(read("role", &json!({"sub": "1", "role": "a"})).unwrap().values, ["a"]);
        for none in
            [json!({"sub": "1"}), json!({"sub": "1", "groups": null}), json!({"sub": "1", "groups": {}})]
        {
            assert_eq!(read("groups", &none).unwrap().values, [""; 0]);
        }
    }

    #[test]
    fn an_address_that_is_not_verified_is_none() {
        let email = |verified: Value| {
            read("x", &json!({"sub": "1", "email": "a@b", "email_verified": verified})).unwrap().email
        };
        assert_eq!(email(json!(true)).as_deref(), Some("a@b"));
        assert_eq!(email(json!("true")).as_deref(), Some("a@b"));
        assert_eq!((email(json!(false)), email(json!("false"))), (None, None));
        let unsaid = read("x", &json!({"sub": "1", "email": "a@b"})).unwrap();
        assert_eq!(unsaid.email.as_deref(), Some("a@b"));
    }

    #[test]
    fn somebody_is_named() {
        for bad in [json!({}), json!({"sub": ""}), json!({"sub": 1}), json!({"sub": "a\u{0}b"})] {
            assert!(matches!(read("x", &bad), Err(IdentityError::Invalid(_))), "{bad}");
        }
        assert!(read("x", &json!({"sub": "a".repeat(256)})).is_err());
    }
}
