//! The API of another machine, over HTTP.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Url};

use super::api::{ApiAnswer, ApiRequest, Transport};
use super::failure::Failure;
use crate::adapters::remote::cause;
use crate::domain::secret::Secret;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the answer may take, once the request is sent. Ending a session takes a while.
const ANSWER: Duration = Duration::from_secs(60);
/// The variable with the address.
const URL_VARIABLE: &str = "STREAMWARD_URL";
/// The variable with the token.
const TOKEN_VARIABLE: &str = "STREAMWARD_TOKEN";

/// Another machine to run a command against. There is no option for the token itself: others on this machine can see the
/// arguments of a process.
#[derive(Clone, Debug, Default, Args)]
pub struct RemoteArgs {
    /// Address of a Streamward on another machine, for the commands that use its API; or STREAMWARD_URL
    #[arg(long, global = true, value_name = "URL", help_heading = "Another machine")]
    pub url: Option<String>,
    /// File with the API token for --url; or the token itself in STREAMWARD_TOKEN
    #[arg(long, global = true, value_name = "FILE", help_heading = "Another machine")]
    pub token_file: Option<PathBuf>,
    /// File with the certificate authorities (PEM) to trust for --url, instead of the system's
    #[arg(long, global = true, value_name = "FILE", help_heading = "Another machine")]
    pub ca_file: Option<PathBuf>,
}

impl RemoteArgs {
    /// The address of the other machine, if one is named, and where it is named.
    pub fn address(&self, variable: impl Fn(&str) -> Option<String>) -> Option<(String, &'static str)> {
        let of_variable = || variable(URL_VARIABLE).filter(|url| !url.is_empty());
        let given = self.url.clone().map(|url| (url, "--url"));
        given.or_else(|| of_variable().map(|url| (url, URL_VARIABLE)))
    }

    /// The machine, if one is named.
    ///
    /// # Errors
    /// The address is not valid, there is no token, or a file cannot be read.
    pub fn machine(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Remote>, Failure> {
        let Some((address, named_in)) = self.address(&variable) else {
            if self.token_file.is_some() || self.ca_file.is_some() {
                let text = "--token-file and --ca-file are for --url, which is not given";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(None);
        };
        let invalid = |why: &str| {
            // The address may hold a password.
            Failure::Usage(format!("{named_in} {why}: it must be like https://streamward.example.org"))
        };
        let url = Url::parse(&address).map_err(|error| invalid(&format!("is not valid ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid("is no address of HTTP"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(invalid("has a user, a password or a query"));
        }
        let token = self.token(variable)?;
        let mut client = Client::builder()
            .user_agent(concat!("streamward/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER);
        if let Some(file) = &self.ca_file {
            let shown = file.display();
            let text = std::fs::read(file)
                .map_err(|error| Failure::Usage(format!("--ca-file {shown} cannot be read: {error}")))?;
            let found = Certificate::from_pem_bundle(&text).ok().filter(|found| !found.is_empty());
            let found = found.ok_or_else(|| {
                Failure::Usage(format!("--ca-file {shown} has no certificate in PEM format"))
            })?;
            client = client.tls_certs_only(found);
        } else if url.scheme() == "http" {
            // Plain HTTP needs no root certificates, which a container may not have.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            Failure::Usage(format!(
                "TLS cannot be used: {error}; give the certificate authority with --ca-file"
            ))
        })?;
        Ok(Some(Remote { url: address.trim_end_matches('/').to_owned(), token, client }))
    }

    fn token(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Secret, Failure> {
        let Some(file) = &self.token_file else {
            let token = variable(TOKEN_VARIABLE).filter(|token| !token.trim().is_empty());
            let token = token.ok_or_else(|| {
                let text = "there is no token: give --token-file FILE, or set STREAMWARD_TOKEN (an admin makes one \
                            with `streamward token create NAME --role ROLE`)";
                Failure::Usage(text.to_owned())
            })?;
            return only_token(&token, TOKEN_VARIABLE);
        };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("--token-file {shown} cannot be read: {error}")))?;
        match text.trim() {
            "" => Err(Failure::Usage(format!("--token-file {shown} is empty"))),
            text => only_token(text, &format!("--token-file {shown}")),
        }
    }
}

/// The token in a text, which may be all that `token create` printed.
fn only_token(text: &str, named_in: &str) -> Result<Secret, Failure> {
    let mut words = text.split_whitespace();
    let (first, is_alone) = (words.next(), words.next().is_none());
    let mut tokens = text.split_whitespace().filter(|word| word.starts_with("swt_"));
    match (first, tokens.next(), tokens.next()) {
        (Some(only), _, _) if is_alone && only.is_ascii() => Ok(Secret::new(only)),
        (_, Some(token), None) if token.is_ascii() => Ok(Secret::new(token)),
        _ => Err(Failure::Usage(format!(
            "{named_in} has more than a token: keep only the text that begins with swt_"
        ))),
    }
}

/// Another machine.
#[derive(Clone)]
pub struct Remote {
    url: String,
    token: Secret,
    client: Client,
}

#[async_trait]
impl Transport for Remote {
    async fn call(&self, request: ApiRequest) -> Result<ApiAnswer, Failure> {
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
        let mut call = self.client.request(method, format!("{}{}", self.url, request.target));
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        if let Some(body) = &request.body {
            call = call.body(body.expose().to_owned());
        } else if !request.part.is_empty() {
            call = call.body(request.part);
        }
        let failed = |error: reqwest::Error| Failure::Unreachable(self.explain(&error));
        let answer = call.bearer_auth(self.token.expose()).send().await.map_err(failed)?;
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let (status, headers) = (answer.status().as_u16(), headers.collect());
        let body = answer.bytes().await.map_err(failed)?;
        Ok(ApiAnswer { status, headers, body: body.to_vec() })
    }
}

impl Remote {
    fn explain(&self, error: &reqwest::Error) -> String {
        let why = cause(error);
        let advice = if error.is_timeout() {
            "it did not answer in time"
        } else if why.to_lowercase().contains("certificate") {
            if why.contains("CaUsedAsEndEntity") {
                "its certificate is that of an authority itself: make one for the server (openssl req -x509 … -addext \
                 basicConstraints=critical,CA:FALSE), or one that the authority signs"
            } else {
                "if its certificate is from an authority of your own, give that with --ca-file"
            }
        } else {
            "see that Streamward runs there, and that this machine may connect to it"
        };
        format!("{} cannot be reached: {why}; {advice}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_found_in_what_token_create_printed() {
        let found = |text| only_token(text, "FILE").map(|token| token.expose().to_owned());
        assert_eq!(found("swt_abc").ok().as_deref(), Some("swt_abc"));
        let printed = "Created the admin token laptop (01…).\n\n  swt_abc\n\nIt is shown only now.";
        assert_eq!(found(printed).ok().as_deref(), Some("swt_abc"));
        for bad in ["swt_a swt_b", "two words", "swt_ä"] {
            assert!(
                matches!(found(bad), Err(Failure::Usage(why)) if why.contains("keep only the text")),
                "{bad}"
            );
        }
    }
}
