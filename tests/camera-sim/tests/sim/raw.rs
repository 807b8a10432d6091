//! A bare RTSP connection, for requests no sensible client sends and answers it would not show.

use std::net::SocketAddr;

use rtsp_types::headers::{CSEQ, SESSION, TRANSPORT};
use rtsp_types::{Message, Method, Request, Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::client::{Error, within};

pub(crate) struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
    sequence: u32,
    pub(crate) session: Option<String>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        Self {
            stream,
            received: Vec::new(),
            sequence: 0,
            session: None,
        }
    }

    /// Sends a request and waits for the next answer, whatever its number; media in between is skipped.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        url: &Url,
    ) -> Result<Response<Vec<u8>>, Error> {
        self.send(method, url).await?;
        within(self.next_answer()).await
    }

    pub(crate) async fn send(&mut self, method: Method, url: &Url) -> Result<(), Error> {
        self.sequence += 1;
        let mut request = Request::builder(method.clone(), Version::V1_0)
            .request_uri(url.clone())
            .header(CSEQ, self.sequence.to_string());
        if let Some(session) = &self.session {
            request = request.header(SESSION, session.as_str());
        }
        if method == Method::Setup {
            request = request.header(TRANSPORT, "RTP/AVP/TCP;unicast;interleaved=0-1");
        }
        let mut bytes = Vec::new();
        request.empty().write(&mut bytes)?;
        Ok(self.stream.write_all(&bytes).await?)
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.stream.write_all(bytes).await?)
    }

    pub(crate) async fn next_answer(&mut self) -> Result<Response<Vec<u8>>, Error> {
        loop {
            while let Ok((message, consumed)) = Message::<Vec<u8>>::parse(&self.received) {
                self.received.drain(..consumed);
                if let Message::Response(response) = message {
                    return Ok(response);
                }
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the connection was closed".into());
            }
        }
    }

    /// SETUP and PLAY of the video.
    pub(crate) async fn play(&mut self, url: &Url) {
        let track = Url::parse(&format!("{url}/trackID=0")).expect("a URL");
        let answer = self.ask(Method::Setup, &track).await.expect("an answer");
        let session = answer.header(&SESSION).expect("a session").as_str();
        self.session = session.split(';').next().map(|id| id.trim().to_owned());
        let answer = self.ask(Method::Play, url).await.expect("an answer");
        assert!(answer.status().is_success());
    }
}
