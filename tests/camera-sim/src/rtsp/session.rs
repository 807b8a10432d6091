//! A session: which tracks go where, their RTP clocks, and sending units to them.

use std::io;
use std::sync::Arc;

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::transport::{InterleavedBatch, Transport};
use crate::camera::Camera;
use crate::clock::SimClock;
use crate::fault::{Condition, Fault, FaultBoard};
use crate::media::{Payload, Track, Unit};
use crate::rtp::Header;
use crate::rtp::report::SenderReport;
use crate::source::Feed;

/// Simulated time between two sender reports of a track.
const REPORT_INTERVAL_US: i64 = 2_000_000;

/// One client's subscription to one rendition.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) camera: Arc<Camera>,
    pub(super) feed: Arc<Feed>,
    streams: [Option<RtpStream>; 2],
    units: Option<Receiver<Arc<Unit>>>,
    /// Video waits for a key frame: at the beginning, and after something was missed.
    awaiting_key: bool,
    batch: InterleavedBatch,
}

impl Session {
    pub(super) fn new(id: String, camera: Arc<Camera>, feed: Arc<Feed>) -> Self {
        let streams = [None, None];
        Self {
            id,
            camera,
            feed,
            streams,
            units: None,
            awaiting_key: true,
            batch: InterleavedBatch::default(),
        }
    }

    pub(super) fn set_up(&mut self, track: Track, stream: RtpStream) {
        self.streams[track.index()] = Some(stream);
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = (Track, &RtpStream)> {
        Track::ALL
            .into_iter()
            .zip(&self.streams)
            .filter_map(|(track, stream)| Some((track, stream.as_ref()?)))
    }

    /// Begins sending; RTP clocks are set so that they can be told in the answer.
    pub(super) fn play(&mut self, clock: &SimClock) {
        let elapsed_us = clock.now_us() - clock.wall_start().as_micros();
        let wrap_after_ms = self.camera.faults.find(|fault| match fault {
            Fault::RtpWrap { after_ms } => Some(*after_ms),
            _ => None,
        });
        let jumped_ticks = self.camera.faults.condition().jumped_ticks();
        for stream in self.streams.iter_mut().flatten() {
            stream.start(elapsed_us, wrap_after_ms, jumped_ticks);
        }
        self.awaiting_key = true;
        self.units = Some(self.feed.subscribe());
    }

    pub(super) fn pause(&mut self) {
        self.units = None;
    }

    /// The next unit; waits for ever while nothing plays.
    pub(super) async fn next_unit(&mut self) -> Option<Arc<Unit>> {
        let Some(units) = &mut self.units else {
            return std::future::pending().await;
        };
        match units.recv().await {
            Ok(unit) => Some(unit),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    camera = self.camera.config.name,
                    missed,
                    "client is too slow; going on with the next key frame"
                );
                self.awaiting_key = true;
                None
            }
            Err(RecvError::Closed) => {
                self.units = None;
                None
            }
        }
    }

    /// Sends a unit to the track it belongs to, if that is set up.
    pub(super) async fn send(
        &mut self,
        unit: &Unit,
        writer: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let faults = &self.camera.faults;
        if faults.has(&Fault::Stall) {
            self.awaiting_key = true;
            return Ok(());
        }
        if unit.track == Track::Video {
            if self.awaiting_key && !unit.key {
                return Ok(());
            }
            self.awaiting_key = false;
        }
        let Some(stream) = &mut self.streams[unit.track.index()] else {
            return Ok(());
        };
        let timestamp = stream.timestamp(unit, &faults.condition());
        let report = stream.report_due(unit, timestamp, &faults.condition());
        let payloads = stream.surviving(unit, faults);
        match &stream.transport {
            Transport::Interleaved { rtp, rtcp } => {
                let (rtp, rtcp) = (*rtp, *rtcp);
                self.batch.clear();
                if let Some(report) = report {
                    self.batch.put_report(rtcp, &report);
                }
                for (header, payload) in stream.headers(timestamp, &payloads) {
                    header.write(self.batch.next_header(rtp, payload.bytes.len()));
                }
                let payloads: Vec<&Payload> = payloads
                    .iter()
                    .filter_map(|(payload, survives)| survives.then_some(*payload))
                    .collect();
                self.batch.write(&payloads, writer).await
            }
            Transport::Udp(_) => {
                stream
                    .send_datagrams(timestamp, report, &payloads, faults)
                    .await;
                Ok(())
            }
        }
    }
}

/// The RTP stream of one track to one client.
#[derive(Debug)]
pub(super) struct RtpStream {
    transport: Transport,
    payload_type: u8,
    clock_rate: u32,
    pub(super) ssrc: u32,
    sequence: u16,
    /// Timestamp of the source's beginning.
    base: u32,
    /// Timestamp of the moment of PLAY.
    pub(super) start_timestamp: u32,
    /// Jumps that had happened before this session.
    jumped_before: i64,
    packets: u32,
    octets: u32,
    last_report_us: Option<i64>,
    /// A datagram held back until its successor has gone.
    late: Option<Vec<u8>>,
}

/// A payload, and whether it reaches the network.
type Fate<'a> = (&'a Payload, bool);

impl RtpStream {
    pub(super) fn new(transport: Transport, payload_type: u8, clock_rate: u32) -> Self {
        Self {
            transport,
            payload_type,
            clock_rate,
            ssrc: rand::random(),
            sequence: rand::random(),
            base: 0,
            start_timestamp: 0,
            jumped_before: 0,
            packets: 0,
            octets: 0,
            last_report_us: None,
            late: None,
        }
    }

    pub(super) const fn next_sequence(&self) -> u16 {
        self.sequence
    }

    fn start(&mut self, elapsed_us: i64, wrap_after_ms: Option<u32>, jumped_ticks: i64) {
        let now = self.ticks(elapsed_us);
        self.base = match wrap_after_ms {
            Some(after_ms) => (-(now + self.ticks(i64::from(after_ms) * 1000))) as u32,
            None => rand::random(),
        };
        self.start_timestamp = self.base.wrapping_add(now as u32);
        self.jumped_before = jumped_ticks;
    }

    fn ticks(&self, us: i64) -> i64 {
        (i128::from(us) * i128::from(self.clock_rate) / 1_000_000) as i64
    }

    fn timestamp(&self, unit: &Unit, condition: &Condition) -> u32 {
        let jump_90k = condition.jumped_ticks() - self.jumped_before;
        let jump = (i128::from(jump_90k) * i128::from(self.clock_rate) / 90_000) as i64;
        let skew = self.ticks(condition.skew_us(unit.wall_us));
        self.base
            .wrapping_add(unit.ticks as u32)
            .wrapping_add((jump + skew) as u32)
    }

    fn report_due(
        &mut self,
        unit: &Unit,
        timestamp: u32,
        condition: &Condition,
    ) -> Option<Vec<u8>> {
        if self
            .last_report_us
            .is_some_and(|last_us| (unit.wall_us - last_us).abs() < REPORT_INTERVAL_US)
        {
            return None;
        }
        self.last_report_us = Some(unit.wall_us);
        let mut report = Vec::with_capacity(64);
        let wall_us = unit.wall_us + condition.skew_us(unit.wall_us);
        let (ssrc, packets, octets) = (self.ssrc, self.packets, self.octets);
        SenderReport {
            ssrc,
            wall_us,
            timestamp,
            packets,
            octets,
        }
        .write(&mut report);
        Some(report)
    }

    /// All payloads of a unit, some of them lost where the fault says so.
    fn surviving<'a>(&self, unit: &'a Unit, faults: &FaultBoard) -> Vec<Fate<'a>> {
        let lost = faults.find(|fault| match fault {
            Fault::Loss { fraction } => Some(*fraction),
            _ => None,
        });
        unit.payloads()
            .map(|payload| {
                (
                    payload,
                    lost.is_none_or(|fraction| !rand::random_bool(fraction)),
                )
            })
            .collect()
    }

    /// Headers of the surviving payloads; lost ones leave a hole in the sequence numbers.
    fn headers<'a>(&mut self, timestamp: u32, payloads: &[Fate<'a>]) -> Vec<(Header, &'a Payload)> {
        let mut headers = Vec::with_capacity(payloads.len());
        for (payload, survives) in payloads {
            let (payload_type, ssrc, sequence) = (self.payload_type, self.ssrc, self.sequence);
            self.sequence = sequence.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(payload.bytes.len() as u32);
            if *survives {
                headers.push((
                    Header {
                        payload_type,
                        marker: payload.marker,
                        sequence,
                        timestamp,
                        ssrc,
                    },
                    *payload,
                ));
            }
        }
        headers
    }

    async fn send_datagrams(
        &mut self,
        timestamp: u32,
        report: Option<Vec<u8>>,
        payloads: &[Fate<'_>],
        faults: &FaultBoard,
    ) {
        let late = faults.find(|fault| match fault {
            Fault::Reorder { fraction } => Some(*fraction),
            _ => None,
        });
        let mut datagrams = Vec::with_capacity(payloads.len());
        for (header, payload) in self.headers(timestamp, payloads) {
            let mut datagram = Vec::with_capacity(crate::rtp::HEADER_LEN + payload.bytes.len());
            header.write(&mut datagram);
            datagram.extend_from_slice(&payload.bytes);
            if self.late.is_none() && late.is_some_and(rand::random_bool) {
                self.late = Some(datagram);
                continue;
            }
            datagrams.push(datagram);
            datagrams.extend(self.late.take());
        }
        let Transport::Udp(pair) = &self.transport else {
            return;
        };
        if let Some(report) = report {
            let _ = pair.rtcp.send(&report).await;
        }
        pair.send_rtp(&datagrams).await;
    }

    pub(super) async fn say_goodbye(&self) {
        if let Transport::Udp(pair) = &self.transport {
            let _ = pair
                .rtcp
                .send(&crate::rtp::report::goodbye(self.ssrc))
                .await;
        }
    }
}
