//! The RTSP 1.0 server (RFC 2326): connections, sign-in, SDP, sessions, RTP over TCP and UDP.
//!
//! It takes media from [`Feed`](crate::source::Feed)s and misbehaves as the camera's fault board says.

mod auth;
mod connection;
mod reply;
mod sdp;
mod session;
mod setup;
mod transport;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::camera::{Camera, Rendition};
use crate::clock::SimClock;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) cameras: HashMap<String, Arc<Camera>>,
    pub(crate) clock: Arc<SimClock>,
}

/// Accepts connections until cancelled; each is served by a task of its own.
pub(crate) async fn serve(server: Arc<Server>, listener: TcpListener, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let serving = connection::serve(server.clone(), stream, peer);
                let stop = stop.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = serving => {}
                    }
                });
            }
            Err(error) => {
                // Out of descriptors: others must close first, and asking again at once would only burn the processor.
                tracing::warn!(%error, "cannot accept an RTSP connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// What a URL's path asks for: `/<camera>[/main|/sub][/trackID=n]`.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    camera: String,
    rendition: Rendition,
    control: Option<String>,
}

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let camera = parts.next()?.to_owned();
        let mut next = parts.next();
        let rendition = match next.and_then(|part| part.parse().ok()) {
            Some(rendition) => {
                next = parts.next();
                rendition
            }
            None => Rendition::Main,
        };
        Some(Self {
            camera,
            rendition,
            control: next.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_camera_rendition_and_track() {
        let target = |camera: &str, rendition, control: Option<&str>| {
            Some(Target {
                camera: camera.into(),
                rendition,
                control: control.map(Into::into),
            })
        };
        assert_eq!(Target::parse("/a"), target("a", Rendition::Main, None));
        assert_eq!(Target::parse("/a/sub/"), target("a", Rendition::Sub, None));
        assert_eq!(
            Target::parse("/a/main/trackID=1"),
            target("a", Rendition::Main, Some("trackID=1"))
        );
        assert_eq!(
            Target::parse("/a/trackID=0"),
            target("a", Rendition::Main, Some("trackID=0"))
        );
        assert_eq!(Target::parse("/"), None);
    }
}
