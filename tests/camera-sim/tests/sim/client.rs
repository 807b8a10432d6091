//! A real RTSP client (retina) that collects what a simulated camera sends, and bounded waiting.

use std::time::Duration;

use camera_sim::stamp::{self, SeiStamp, Stamp};
use camera_sim::{CameraHandle, Codec, decode};
use futures::StreamExt;
use retina::client::{
    Demuxed, InitialTimestampPolicy, PlayOptions, Session, SessionOptions, SetupOptions,
    TcpTransportOptions, Transport, UdpTransportOptions,
};
use retina::codec::{CodecItem, FrameFormat};
use url::Url;

/// Longer than anything a test waits for should ever take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// A video frame as it came over the network.
pub(crate) struct Frame {
    /// Ticks of the RTP clock since PLAY.
    pub(crate) elapsed: i64,
    /// Raw RTP timestamp without wrapping.
    pub(crate) timestamp: i64,
    pub(crate) key: bool,
    pub(crate) loss: u16,
    /// With start codes.
    pub(crate) annex_b: Vec<u8>,
    pub(crate) sei: Option<SeiStamp>,
}

/// RTP timestamp and time of a sender report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) stream: usize,
    pub(crate) timestamp: i64,
    pub(crate) wall_us: i64,
}

/// Everything received by a client.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) frames: Vec<Frame>,
    /// RTP timestamp and length of audio frames.
    pub(crate) audio: Vec<(i64, usize)>,
    pub(crate) reports: Vec<Report>,
}

impl Received {
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.frames
            .iter()
            .filter_map(|frame| frame.sei)
            .map(|sei| sei.frame)
            .collect()
    }

    /// Stamps read from the decoded pictures, in order of presentation.
    pub(crate) fn stamps(&self, codec: Codec) -> Vec<Option<Stamp>> {
        let mut decoder = decode::StreamDecoder::new(codec).expect("a decoder");
        let mut stamps = Vec::new();
        for frame in &self.frames {
            decoder
                .push(&frame.annex_b, frame.elapsed, |_, luma| {
                    stamps.push(luma.stamp())
                })
                .expect("decodes");
        }
        decoder
            .finish(|_, luma| stamps.push(luma.stamp()))
            .expect("decodes");
        stamps
    }
}

#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) udp: bool,
    pub(crate) credentials: Option<(String, String)>,
}

pub(crate) struct Client {
    demuxed: Demuxed,
    video: Option<usize>,
    pub(crate) received: Received,
}

impl Client {
    pub(crate) async fn play(url: &Url, options: &Options) -> Result<Self, Error> {
        within(Self::connect(url.clone(), options)).await
    }

    async fn connect(url: Url, options: &Options) -> Result<Self, Error> {
        let credentials = options
            .credentials
            .clone()
            .map(|(username, password)| retina::client::Credentials { username, password });
        let mut session =
            Session::describe(url, SessionOptions::default().creds(credentials)).await?;
        let mut video = None;
        for index in 0..session.streams().len() {
            let stream = &session.streams()[index];
            if stream.media() == "video" {
                video = Some(index);
            }
            let transport = if options.udp {
                Transport::Udp(UdpTransportOptions::default())
            } else {
                Transport::Tcp(TcpTransportOptions::default())
            };
            let setup = SetupOptions::default()
                .transport(transport)
                .frame_format(FrameFormat::SIMPLE);
            session.setup(index, setup).await?;
        }
        let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Default);
        let demuxed = session.play(play).await?.demuxed()?;
        Ok(Self {
            demuxed,
            video,
            received: Received::default(),
        })
    }

    /// Receives until `done`, or fails when the session ends before.
    pub(crate) async fn until(&mut self, done: impl Fn(&Received) -> bool) -> Result<(), Error> {
        within(async {
            while !done(&self.received) {
                let item = self.demuxed.next().await.ok_or("the session ended")??;
                self.take(item);
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn frames(&mut self, count: usize) -> Result<(), Error> {
        self.until(|received| received.frames.len() >= count).await
    }

    /// Receives until the session ends, and says how.
    pub(crate) async fn until_end(&mut self) -> Error {
        match self.until(|_| false).await {
            Err(error) => error,
            Ok(()) => unreachable!("the condition is never true"),
        }
    }

    fn take(&mut self, item: CodecItem) {
        match item {
            CodecItem::VideoFrame(frame) => {
                assert_eq!(Some(frame.stream_id()), self.video);
                self.received.frames.push(Frame {
                    elapsed: frame.timestamp().elapsed(),
                    timestamp: frame.timestamp().timestamp(),
                    key: frame.is_random_access_point(),
                    loss: frame.loss(),
                    sei: stamp::read_sei(frame.data()),
                    annex_b: frame.data().to_vec(),
                });
            }
            CodecItem::AudioFrame(frame) => self
                .received
                .audio
                .push((frame.timestamp().timestamp(), frame.data().len())),
            CodecItem::Rtcp(packet) => {
                let stream = packet.stream_id();
                let Some(timestamp) = packet.rtp_timestamp() else {
                    return;
                };
                for part in packet.pkts() {
                    if let Ok(Some(report)) = part.as_sender_report() {
                        let unix = report.ntp_timestamp().0.wrapping_sub(retina::UNIX_EPOCH.0);
                        let wall_us = ((u128::from(unix) * 1_000_000) >> 32) as i64;
                        self.received.reports.push(Report {
                            stream,
                            timestamp: timestamp.timestamp(),
                            wall_us,
                        });
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) fn parameters(&self) -> Option<(u32, u32)> {
        match self.demuxed.streams()[self.video?].parameters()? {
            retina::codec::ParametersRef::Video(video) => Some(video.pixel_dimensions()),
            _ => None,
        }
    }
}

/// Fails instead of hanging.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| "nothing within 30 seconds")?
}

/// Waits, within bounds, until the camera has this many viewers.
pub(crate) async fn until_viewers(camera: &CameraHandle, count: usize) {
    let waiting = async {
        while camera.viewers() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    };
    within(waiting)
        .await
        .unwrap_or_else(|_| panic!("{} viewers instead of {count}", camera.viewers()));
}
