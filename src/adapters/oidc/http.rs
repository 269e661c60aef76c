//! Calls to a provider: bounded in time and size, without redirects, and never without TLS if the issuer has TLS.

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::settings::OidcSettings;
use crate::adapters::remote::{cause, failure, read, repeat};
use crate::domain::secret::Secret;
use crate::ports::{IdentityError, RemoteError, SignInRequest};

const CONNECT: Duration = Duration::from_secs(2);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(4);
/// Largest answer that is read.
const MAX_ANSWER: usize = 256 * 1024;

/// The tokens of a person.
pub(super) struct Tokens {
    pub(super) id_token: Secret,
    pub(super) access_token: Option<Secret>,
}

/// A client for one provider.
pub(super) struct Http {
    client: Client,
    scheme: String,
}

impl Http {
    pub(super) fn new(issuer: &str) -> Result<Self, RemoteError> {
        // Fails only if it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(issuer).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| RemoteError::Unsupported("an issuer begins with https://".to_owned()))?;
        let mut client = Client::builder()
            .user_agent(concat!("streamward/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // On this machine only. An image built from scratch may have no certificates.
            client = client.no_proxy().tls_certs_only([]);
        }
        let client = client.build().map_err(|error| RemoteError::Unsupported(cause(&error)))?;
        Ok(Self { client, scheme: url.scheme().to_owned() })
    }

    /// An endpoint that the provider names.
    pub(super) fn endpoint(&self, name: &str, address: Option<&Value>) -> Result<Url, RemoteError> {
        let url = address.and_then(Value::as_str).and_then(|address| Url::parse(address).ok());
        let url = url.filter(|url| url.scheme() == "https" || url.scheme() == self.scheme);
        url.ok_or_else(|| RemoteError::Malformed(format!("discovery: {name} is no usable address")))
    }

    /// Reads a JSON document. `what` names it in errors.
    pub(super) async fn get(&self, url: Url, what: &str) -> Result<Value, RemoteError> {
        match self.send(self.client.get(url)).await? {
            (StatusCode::OK, Some(body)) => Ok(body),
            (StatusCode::OK, None) => Err(RemoteError::Malformed(format!("{what}: no JSON"))),
            (status, _) => Err(RemoteError::Status { status: status.as_u16(), message: what.to_owned() }),
        }
    }

    /// The request that exchanges a code (RFC 6749, 4.1.3). Our credentials are in the header, or in the body.
    fn exchange_request(
        &self,
        (endpoint, secret_in_body): (Url, bool),
        settings: &OidcSettings,
        code: &Secret,
        request: &SignInRequest<'_>,
    ) -> RequestBuilder {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose())
            .append_pair("redirect_uri", request.redirect_uri)
            .append_pair("code_verifier", request.verifier.expose());
        let mut call = self.client.post(endpoint);
        match &settings.client_secret {
            Some(secret) if !secret_in_body => {
                // Both are encoded first (RFC 6749, 2.3.1).
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                call = call.basic_auth(encoded(&settings.client_id), Some(encoded(secret.expose())));
            }
            secret => {
                form.append_pair("client_id", &settings.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
            }
        }
        call.header("content-type", "application/x-www-form-urlencoded").body(form.finish())
    }

    /// Exchanges a code for tokens.
    pub(super) async fn exchange(
        &self,
        endpoint: (Url, bool),
        settings: &OidcSettings,
        code: &Secret,
        request: &SignInRequest<'_>,
    ) -> Result<Tokens, IdentityError> {
        let call = self.exchange_request(endpoint, settings, code, request);
        let (status, body) = self.send(call).await?;
        let body = body.unwrap_or_default();
        if status != StatusCode::OK {
            let error = body["error"].as_str().unwrap_or_default();
            return Err(match error {
                "invalid_grant" => {
                    IdentityError::Invalid("it does not accept its code any more (invalid_grant)".to_owned())
                }
                "invalid_client" | "unauthorized_client" => RemoteError::Unauthorised.into(),
                error => RemoteError::Status { status: status.as_u16(), message: repeat(error) }.into(),
            });
        }
        let token = |name: &str| body[name].as_str().map(Secret::new);
        let id_token = token("id_token").ok_or_else(|| RemoteError::Malformed("no ID token".to_owned()))?;
        Ok(Tokens { id_token, access_token: token("access_token") })
    }

    /// What the provider says of the person besides the ID token.
    pub(super) async fn userinfo(
        &self,
        endpoint: Url,
        access_token: &Secret,
    ) -> Result<Map<String, Value>, RemoteError> {
        match self.send(self.client.get(endpoint).bearer_auth(access_token.expose())).await? {
            (StatusCode::OK, Some(Value::Object(claims))) => Ok(claims),
            (StatusCode::OK, _) => Err(RemoteError::Malformed("user info: no JSON object".to_owned())),
            (status, _) => {
                Err(RemoteError::Status { status: status.as_u16(), message: "user info".to_owned() })
            }
        }
    }

    /// The status and, if it is JSON, the body.
    async fn send(&self, call: RequestBuilder) -> Result<(StatusCode, Option<Value>), RemoteError> {
        let mut response =
            call.header(ACCEPT, "application/json").send().await.map_err(|error| failure(&error))?;
        let body = read(&mut response, MAX_ANSWER).await?;
        Ok((response.status(), serde_json::from_slice(&body).ok()))
    }
}
