//! A second connection to OBS that shares no code with ours: what a person does in OBS, and what OBS really has.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Driver {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
}

impl Driver {
    pub(crate) async fn connect(url: &str, password: &str) -> Result<Self> {
        let (socket, _) = connect_async(url).await?;
        let mut driver = Self { socket, last_id: 0 };
        let hello = driver.read().await?;
        let part = |name: &str| hello["d"]["authentication"][name].as_str().unwrap_or_default().to_owned();
        let hash = |text: String| STANDARD.encode(Sha256::digest(text));
        let proof = hash(hash(password.to_owned() + &part("salt")) + &part("challenge"));
        let data = json!({ "rpcVersion": 1, "eventSubscriptions": 0, "authentication": proof });
        driver.write(&json!({ "op": 1, "d": data })).await?;
        let identified = driver.read().await?;
        ensure!(identified["op"] == 2, "not identified: {identified}");
        Ok(driver)
    }

    /// Sends a request. Returns its data, or fails with code and comment.
    pub(crate) async fn request(&mut self, name: &str, data: Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id.to_string();
        let request = json!({ "requestType": name, "requestId": id, "requestData": data });
        self.write(&json!({ "op": 6, "d": request })).await?;
        loop {
            let answer = self.read().await?;
            if answer["op"] == 7 && answer["d"]["requestId"] == id.as_str() {
                let status = &answer["d"]["requestStatus"];
                ensure!(status["result"] == true, "{name}: {status}");
                return Ok(answer["d"]["responseData"].clone());
            }
        }
    }

    async fn write(&mut self, message: &Value) -> Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    async fn read(&mut self) -> Result<Value> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.context("OBS does not answer")?;
            match message.context("OBS ended")?? {
                Message::Text(text) => return Ok(serde_json::from_str(text.as_str())?),
                Message::Close(frame) => bail!("OBS closed the connection: {frame:?}"),
                _ => {}
            }
        }
    }
}
