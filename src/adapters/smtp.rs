//! E-mail over SMTP.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use crate::domain::secret::{Secret, masked_line};
use crate::ports::{Mail, Mailer, RemoteError};

/// How long each step with the mail server may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most characters of what the mail server says.
const MESSAGE: usize = 200;

/// Sends e-mail over SMTP.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// `url` is `smtps://user:password@host`, or `smtp://…?tls=required` for STARTTLS. An error does not quote it, because
    /// it may contain a password.
    pub fn new(url: &Secret, from: &str) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose());
        let transport = transport.map_err(|_| {
            anyhow!("mail.smtp_url must be an address such as smtps://user:password@mail.example.org")
        })?;
        let from =
            from.parse().context("mail.from must be an address such as Streamward <tv@example.org>")?;
        Ok(Self { transport: transport.timeout(Some(TIMEOUT)).build(), from })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), RemoteError> {
        let unsendable = |what: &str| RemoteError::Unsupported(format!("the {what} cannot be sent"));
        let to = mail.to.as_str().parse().map_err(|_| unsendable("address"))?;
        let message = Message::builder().from(self.from.clone()).to(Mailbox::new(None, to));
        let message = message.subject(&*mail.subject).header(ContentType::TEXT_PLAIN);
        let message = message.body(mail.text.expose().to_owned()).map_err(|_| unsendable("text"))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_timeout() => Err(RemoteError::TimedOut),
            Err(error) => {
                let message = masked_line(&error.to_string(), MESSAGE);
                match error.status() {
                    Some(code) => {
                        let status = code.to_string().parse().unwrap_or_default();
                        Err(RemoteError::Status { status, message })
                    }
                    None => Err(RemoteError::Unreachable(message)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::domain::user::Email;

    /// Says what a mail server says, and returns what it was told.
    async fn serve(stream: TcpStream, answer_to_data: &str) -> String {
        let (reader, mut writer) = stream.into_split();
        let (mut lines, mut heard, mut is_data) = (BufReader::new(reader).lines(), String::new(), false);
        writer.write_all(b"220 mail.test ready\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            heard.push_str(&line);
            heard.push('\n');
            let answer = match (is_data, line.split(' ').next().unwrap_or_default()) {
                (true, ".") => {
                    is_data = false;
                    answer_to_data
                }
                (true, _) => continue,
                (false, "DATA") => {
                    is_data = true;
                    "354 go on"
                }
                (false, "QUIT") => "221 bye",
                (false, _) => "250 fine",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            if line == "QUIT" {
                break;
            }
        }
        heard
    }

    fn mail() -> Mail {
        Mail {
            to: Email::parse("ada@example.org").unwrap(),
            subject: "Set a new password".into(),
            text: Secret::new("Open https://tv.example.org/link#swl_x\n"),
        }
    }

    async fn send(answer_to_data: &str) -> (Result<(), RemoteError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Secret::new(format!("smtp://{}", listener.local_addr().unwrap()));
        let mailer = SmtpMailer::new(&url, "Streamward <tv@example.org>").unwrap();
        let served = async { serve(listener.accept().await.unwrap().0, answer_to_data).await };
        // The connection ends with the mailer.
        let sent = async move { mailer.send(&mail()).await };
        tokio::join!(sent, served)
    }

    #[tokio::test]
    async fn a_mail_is_handed_to_the_server() {
        let (sent, heard) = send("250 queued").await;
        assert_eq!(sent, Ok(()));
        for line in ["MAIL FROM:<tv@example.org>", "RCPT TO:<ada@example.org>", "Subject: Set a new password"]
        {
            assert!(heard.contains(line), "{heard}");
        }
        assert!(heard.contains("swl_x"), "{heard}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_without_the_text() {
        let (sent, _) = send("554 no relaying").await;
        let Err(RemoteError::Status { status: 554, message }) = sent else { panic!("{sent:?}") };
        assert!(message.contains("no relaying") && !message.contains("swl_"), "{message}");
    }

    #[tokio::test]
    async fn an_unusable_address_is_told_without_the_password() {
        let url = Secret::new("pop3://ada:hunter2secret@mail.example.org");
        let error = SmtpMailer::new(&url, "tv@example.org").err().unwrap();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        let nobody = Secret::new("smtp://127.0.0.1:1");
        let mailer = SmtpMailer::new(&nobody, "tv@example.org").unwrap();
        assert!(matches!(mailer.send(&mail()).await, Err(RemoteError::Unreachable(_))));
    }
}
