//! The coordinator as a browser sees it: sign in, look, play. JSON stays JSON here, so that a test notices when a
//! field changes its name.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::time::{TimeRange, WallTime};

/// A signed-in client.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
}

/// One entry of a playlist with the init section it needs.
#[derive(Clone, Debug)]
pub struct PlaylistEntry {
    pub uri: String,
    /// First byte and number of bytes.
    pub range: (u64, u64),
    pub map_uri: String,
    pub map_range: (u64, u64),
    pub seconds: f32,
    pub program_date_time: Option<WallTime>,
    pub discontinuity: bool,
}

impl Api {
    /// # Errors
    /// Nobody answers at `base`, or the password is refused.
    pub async fn sign_in(base: &str, login: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .timeout(Duration::from_secs(60))
            .build()
            .context("building the HTTP client")?;
        let api = Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
        };
        let body = json!({ "login": login, "password": password });
        let response = api
            .send(Method::POST, "/api/v1/session", Some(&body))
            .await?;
        ensure!(
            response.status().is_success(),
            "sign-in answered {}",
            response.status()
        );
        Ok(api)
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        let response = self.send(Method::GET, path, None).await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "GET {path} answered {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("GET {path} answered {text}"))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let response = self.send(Method::POST, path, Some(body)).await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "POST {path} answered {status}: {text}");
        if text.is_empty() {
            Ok(Value::Null)
        } else {
            Ok(serde_json::from_str(&text)?)
        }
    }

    /// The status and the body, whatever they are.
    pub async fn status_of(&self, method: Method, path: &str) -> Result<(StatusCode, String)> {
        let response = self.send(method, path, None).await?;
        Ok((response.status(), response.text().await?))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<reqwest::Response> {
        let url = self.absolute(path);
        let mut request = self
            .http
            .request(method.clone(), &url)
            .header("origin", &self.base);
        if let Some(body) = body {
            request = request.json(body);
        }
        request
            .send()
            .await
            .with_context(|| format!("{method} {url}"))
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        }
    }

    pub async fn cameras(&self) -> Result<Vec<Value>> {
        items(&self.get("/api/v1/cameras").await?)
    }

    /// The id of the camera of that name.
    pub async fn camera_id(&self, name: &str) -> Result<String> {
        let cameras = self.cameras().await?;
        let camera = cameras.iter().find(|camera| camera["name"] == name);
        let id = camera.and_then(|camera| camera["id"].as_str());
        Ok(id
            .with_context(|| format!("no camera `{name}`"))?
            .to_owned())
    }

    pub async fn agents(&self) -> Result<Vec<Value>> {
        items(&self.get("/api/v1/agents").await?)
    }

    pub async fn timeline(&self, camera: &str, range: TimeRange) -> Result<Value> {
        let (from, to) = (range.start().to_rfc3339(), range.end().to_rfc3339());
        self.get(&format!(
            "/api/v1/cameras/{camera}/timeline?stream=main&from={from}&to={to}"
        ))
        .await
    }

    /// Prepares a playback of `range` and reads its playlist.
    pub async fn playlist(&self, camera: &str, range: TimeRange) -> Result<Vec<PlaylistEntry>> {
        let body = json!({
            "camera_id": camera, "stream": "main",
            "from": range.start().to_rfc3339(), "to": range.end().to_rfc3339(),
        });
        let playback = self.post("/api/v1/playback/prepare", &body).await?;
        let url = playback["playlist_url"]
            .as_str()
            .context("no playlist_url")?;
        self.read_playlist(url).await
    }

    /// Prepares a playback of the live edge; returns the playlist's address.
    pub async fn live_edge(&self, camera: &str) -> Result<String> {
        let body = json!({ "camera_id": camera, "stream": "main", "live": true });
        let playback = self.post("/api/v1/playback/prepare", &body).await?;
        Ok(playback["playlist_url"]
            .as_str()
            .context("no playlist_url")?
            .to_owned())
    }

    pub async fn read_playlist(&self, url: &str) -> Result<Vec<PlaylistEntry>> {
        let text = self.fetch(url, None).await?;
        entries(url, &text)
    }

    /// Bytes at `url`, all or `(first, count)` of them.
    pub async fn fetch(&self, url: &str, range: Option<(u64, u64)>) -> Result<Bytes> {
        let mut request = self.http.get(self.absolute(url));
        if let Some((first, count)) = range {
            request = request.header("range", format!("bytes={first}-{}", first + count - 1));
        }
        let response = request.send().await.with_context(|| format!("GET {url}"))?;
        let status = response.status();
        if !status.is_success() {
            bail!(
                "GET {url} answered {status}: {}",
                response.text().await.unwrap_or_default()
            );
        }
        let body = response.bytes().await?;
        if let Some((_, count)) = range {
            ensure!(
                status == StatusCode::PARTIAL_CONTENT,
                "a range of {url} was answered with {status}"
            );
            ensure!(
                body.len() as u64 == count,
                "{count} bytes of {url} asked for, {} received",
                body.len()
            );
        }
        Ok(body)
    }

    /// The body at `url` as a browser is sent it: compressed, and not unpacked here.
    ///
    /// # Errors
    /// It was refused, or not compressed.
    pub async fn fetch_compressed(&self, url: &str) -> Result<Bytes> {
        let request = self.http.get(self.absolute(url));
        let request = request.header("accept-encoding", "gzip, deflate, br, zstd");
        let response = request.send().await?.error_for_status()?;
        let encoding = response.headers().get("content-encoding");
        ensure!(encoding.is_some(), "{url} is sent uncompressed");
        Ok(response.bytes().await?)
    }

    /// The playable file of every stretch between discontinuities: its init section and all its fragments.
    pub async fn download(&self, entries: &[PlaylistEntry]) -> Result<Vec<Vec<u8>>> {
        let mut files: Vec<Vec<u8>> = Vec::new();
        for entry in entries {
            if files.is_empty() || entry.discontinuity {
                files.push(
                    self.fetch(&entry.map_uri, Some(entry.map_range))
                        .await?
                        .to_vec(),
                );
            }
            let bytes = self.fetch(&entry.uri, Some(entry.range)).await?;
            if let Some(file) = files.last_mut() {
                file.extend_from_slice(&bytes);
            }
        }
        Ok(files)
    }
}

fn items(answer: &Value) -> Result<Vec<Value>> {
    Ok(answer["items"]
        .as_array()
        .with_context(|| format!("no items in {answer}"))?
        .clone())
}

/// Reads a media playlist with a parser that is not ours, and resolves byte ranges and addresses.
fn entries(url: &str, text: &[u8]) -> Result<Vec<PlaylistEntry>> {
    let playlist = match m3u8_rs::parse_playlist_res(text) {
        Ok(m3u8_rs::Playlist::MediaPlaylist(playlist)) => playlist,
        Ok(m3u8_rs::Playlist::MasterPlaylist(_)) => bail!("{url} is a master playlist"),
        Err(error) => bail!(
            "{url} is not a playlist ({error}): {}",
            String::from_utf8_lossy(text)
        ),
    };
    let directory = url
        .split('?')
        .next()
        .and_then(|path| path.rsplit_once('/'))
        .map_or("", |(directory, _)| directory);
    let resolve = |uri: &str| {
        if uri.starts_with('/') || uri.starts_with("http") {
            uri.to_owned()
        } else {
            format!("{directory}/{uri}")
        }
    };
    let mut map: Option<(String, (u64, u64))> = None;
    let mut next_offset: (String, u64) = Default::default();
    let mut entries = Vec::with_capacity(playlist.segments.len());
    for segment in &playlist.segments {
        if let Some(new) = &segment.map {
            let range = new
                .byte_range
                .as_ref()
                .context("EXT-X-MAP without a byte range")?;
            map = Some((resolve(&new.uri), (range.offset.unwrap_or(0), range.length)));
        }
        let uri = resolve(&segment.uri);
        let range = segment
            .byte_range
            .as_ref()
            .context("a media segment without a byte range")?;
        let implied = if next_offset.0 == uri {
            Some(next_offset.1)
        } else {
            None
        };
        let offset = range
            .offset
            .or(implied)
            .context("a byte range without an offset")?;
        next_offset = (uri.clone(), offset + range.length);
        let (map_uri, map_range) = map.clone().context("a media segment before EXT-X-MAP")?;
        entries.push(PlaylistEntry {
            uri,
            range: (offset, range.length),
            map_uri,
            map_range,
            seconds: segment.duration,
            program_date_time: segment
                .program_date_time
                .map(|time| WallTime::from_micros(time.timestamp_micros())),
            discontinuity: segment.discontinuity,
        });
    }
    Ok(entries)
}
