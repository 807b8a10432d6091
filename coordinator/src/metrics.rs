//! What the metrics page shows. Counting happens where things happen; here it gets names and
//! units, as OpenMetrics asks for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric as _, LabelValueEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shared::time::WallTime;

use crate::domain::quota::alarm::Limited;
use crate::services::Figures;
use crate::webrtc::Tally;

/// Upper bounds in seconds of the request histogram.
const REQUEST_SECONDS: [f64; 11] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0,
];
/// Of the histogram of edge pulls until their first byte.
const PULL_SECONDS: [f64; 9] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 10.0];

/// In place of an agency; in small letters, as no agency is.
const ALL: &str = "all";

/// Of a metric that is only there once it has a value.
type Unlabelled = [(&'static str, &'static str); 0];

/// Where the edges count. Clones count together.
#[derive(Clone, Debug)]
pub struct Meters {
    requests: Family<Request, Histogram, fn() -> Histogram>,
    agents: Gauge,
    handshakes: Gauge,
    connections: Family<Ending, Counter>,
    pulls: Histogram,
    pulls_failed: Counter,
    received: Counter,
    connections_refused: Counter,
    certificate_expiry: Family<Unlabelled, Gauge>,
    certificate_reload_failed: Family<Unlabelled, Gauge>,
}

/// The page itself.
#[derive(Debug)]
pub struct Metrics(Registry);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    /// The route's pattern, never the path: ids would make a series each.
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ending {
    outcome: Outcome,
}

/// How far a connection of an agent got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Turned away before a handshake, for lack of room.
    TurnedAway,
    /// No handshake, or not in time.
    NoHandshake,
    /// An agent that is not (or no longer) welcome.
    Refused,
    /// An agent got to work.
    Connected,
    /// An agent enrolled.
    Enrolled,
    /// An enrolment was refused.
    EnrolmentRefused,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        use fmt::Write as _;
        encoder.write_str(match self {
            Self::TurnedAway => "turned_away",
            Self::NoHandshake => "no_handshake",
            Self::Refused => "refused",
            Self::Connected => "connected",
            Self::Enrolled => "enrolled",
            Self::EnrolmentRefused => "enrolment_refused",
        })
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            requests: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            agents: Gauge::default(),
            handshakes: Gauge::default(),
            connections: Family::default(),
            pulls: Histogram::new(PULL_SECONDS),
            pulls_failed: Counter::default(),
            received: Counter::default(),
            connections_refused: Counter::default(),
            certificate_expiry: Family::default(),
            certificate_reload_failed: Family::default(),
        }
    }
}

impl Meters {
    /// A request was answered, or its answer began, with this status after this time.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = Request {
            // A client may call its method whatever it likes.
            method: known_method(method).to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// So many agents are connected now.
    pub fn agents_connected(&self, count: usize) {
        self.agents.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many connections have not said who they are yet.
    pub fn handshakes(&self, count: usize) {
        self.handshakes
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub fn connection(&self, outcome: Outcome) {
        self.connections.get_or_create(&Ending { outcome }).inc();
    }

    /// So many bytes of an upload came, whatever becomes of them.
    pub fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    /// A connection to the API was one too many of its address.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// Browsers are shown a certificate that is good until then.
    pub fn certificate_expires(&self, at: WallTime) {
        let seconds = at.as_millis().div_euclid(1000);
        self.certificate_expiry.get_or_create(&[]).set(seconds);
    }

    /// Whether the files of that certificate could not be used when they were last looked at.
    pub fn certificate_reload_failed(&self, failed: bool) {
        let gauge = self.certificate_reload_failed.get_or_create(&[]);
        gauge.set(failed.into());
    }

    /// A pull from an agent brought its first byte after this time, or failed.
    pub fn pull(&self, first_byte: Option<Duration>) {
        match first_byte {
            Some(took) => self.pulls.observe(took.as_secs_f64()),
            None => {
                self.pulls_failed.inc();
            }
        }
    }
}

impl Metrics {
    /// Of what the edges and the services count.
    pub fn new(meters: &Meters, figures: Arc<Figures>, viewers: Arc<Tally>) -> Self {
        let mut registry = Registry::with_prefix("cctv_coordinator");
        registry.register_with_unit(
            "http_request_duration",
            "Requests by route and status, until their answer began",
            Unit::Seconds,
            meters.requests.clone(),
        );
        registry.register(
            "agents_connected",
            "Agents connected",
            meters.agents.clone(),
        );
        registry.register(
            "agent_handshakes",
            "Connections that have not said who they are yet",
            meters.handshakes.clone(),
        );
        registry.register(
            "agent_connections",
            "Connections to the agents' port by how far they got",
            meters.connections.clone(),
        );
        registry.register_with_unit(
            "edge_pull_first_byte",
            "Pulls of footage from agents, until their first byte",
            Unit::Seconds,
            meters.pulls.clone(),
        );
        registry.register(
            "edge_pulls_failed",
            "Pulls of footage from agents that brought nothing",
            meters.pulls_failed.clone(),
        );
        registry.register(
            "upload_received_bytes",
            "Bytes of uploads that came, verified or not",
            meters.received.clone(),
        );
        registry.register(
            "http_connections_refused",
            "Connections to the API that were too many of one address",
            meters.connections_refused.clone(),
        );
        registry.register_with_unit(
            "http_certificate_expiry_timestamp",
            "End of the validity of the certificate that browsers see, since 1970",
            Unit::Seconds,
            meters.certificate_expiry.clone(),
        );
        registry.register(
            "http_certificate_reload_failed",
            "1 while new files of that certificate cannot be used and the old ones are",
            meters.certificate_reload_failed.clone(),
        );
        registry.register_collector(Box::new(Page(figures)));
        registry.register_collector(Box::new(Live(viewers)));
        Self(registry)
    }

    /// As OpenMetrics text.
    pub fn render(&self) -> String {
        let mut page = String::new();
        if let Err(error) = encode(&mut page, &self.0) {
            tracing::error!(%error, "could not write the metrics page");
        }
        page
    }
}

fn known_method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE" | "OPTIONS" => method,
        _ => "other",
    }
}

/// The figures of the services, read when somebody looks.
#[derive(Debug)]
struct Page(Arc<Figures>);

impl Page {
    fn counters(&self) -> [(&'static str, &'static str, u64); 19] {
        let Self(figures) = self;
        [
            (
                "reports",
                "Reports of agents applied",
                figures.reports.get(),
            ),
            ("records", "Durable records in them", figures.records.get()),
            (
                "records_set_aside",
                "Records of agents that were not believed",
                figures.records_set_aside.get(),
            ),
            (
                "uploads_stored",
                "Segments uploaded, verified and indexed",
                figures.uploads_stored.get(),
            ),
            (
                "uploads_corrupt",
                "Uploads that did not have the bytes of the index",
                figures.uploads_corrupt.get(),
            ),
            (
                "uploads_put_off",
                "Offers put off for lack of room or because of too many at once",
                figures.uploads_put_off.get(),
            ),
            (
                "upload_bytes",
                "Bytes of segments received and verified",
                figures.upload_bytes.get(),
            ),
            (
                "edge_pulls",
                "Pulls of footage from agents",
                figures.edge_pulls.get(),
            ),
            (
                "edge_bytes",
                "Bytes of those pulls",
                figures.edge_bytes.get(),
            ),
            (
                "edge_cache_hits",
                "Requests for footage of agents answered from memory",
                figures.edge_cache_hits.get(),
            ),
            (
                "edge_joined",
                "Requests for footage of agents that joined a pull under way",
                figures.edge_joined.get(),
            ),
            ("playlists", "Playlists written", figures.playlists.get()),
            (
                "playback_bytes",
                "Bytes of segments sent to players",
                figures.playback_bytes.get(),
            ),
            (
                "objects_lost",
                "Objects that disappeared from the store",
                figures.objects_lost.get(),
            ),
            (
                "audit_entries_lost",
                "Entries of the audit about views and refusals that could not be written",
                figures.audit_entries_lost.get(),
            ),
            (
                "sign_ins_refused",
                "Sign-ins refused",
                figures.sign_ins_refused.get(),
            ),
            (
                "rate_limit_refusals",
                "Requests that were too many of somebody",
                figures.rates_refused.get(),
            ),
            (
                "stream_reservations_granted",
                "Reservations of streams that were granted",
                figures.streams_granted.get(),
            ),
            (
                "stream_reservations_refused",
                "Reservations of streams that were refused",
                figures.streams_refused.get(),
            ),
        ]
    }

    fn gauges(&self) -> [(&'static str, &'static str, u64); 8] {
        let Self(figures) = self;
        [
            (
                "uploads_active",
                "Uploads being received",
                figures.uploads_active.get(),
            ),
            (
                "edge_cache_bytes",
                "Footage of agents held in memory",
                figures.edge_cache_bytes.get(),
            ),
            (
                "audit_chain_broken",
                "Whether the audit is not what was written, or not what agents remember",
                figures.audit_chain_broken.get(),
            ),
            (
                "audit_disputes",
                "Heads of the audit that agents remember, that are not in it and that nobody has explained",
                figures.audit_disputes.get(),
            ),
            (
                "identity_issuers_away",
                "Identity providers and issuers of tokens that do not answer",
                figures.issuers_away.get(),
            ),
            (
                "rate_limit_server_lost",
                "1 while the server of shared rate limits is gone and this coordinator goes by its own",
                figures.rates_apart.get(),
            ),
            (
                "stream_quota_server_lost",
                "1 while the server on which streams are counted together does not answer",
                figures.quotas_apart.get(),
            ),
            (
                "stream_limits_short",
                "Limits of streams of which more than 95 % are used",
                figures.streams_short.get(),
            ),
        ]
    }

    /// By agency and stream, and of all agencies together under [`ALL`].
    fn streams(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(streams) = self.0.streams.load_full() else {
            return Ok(());
        };
        for (name, help, is_limit) in [
            ("streams", "Streams that are reserved", false),
            ("streams_limit", "Streams there may be", true),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (limited, usage) in streams.usages() {
                let (agency, tier) = match &limited {
                    Limited::Pool(pool) => (pool.agency.as_str(), pool.tier),
                    Limited::All(tier) => (ALL, *tier),
                };
                let labels = [("agency", agency), ("stream", tier.name())];
                let value = if is_limit { usage.limit } else { usage.current };
                ConstGauge::new(i64::from(value)).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, value) in self.counters() {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode(metric)?;
        }
        for (name, help, value) in self.gauges() {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge.encode(metric)?;
        }
        self.streams(&mut encoder)
    }
}

/// The figures of viewers by WebRTC.
#[derive(Debug)]
struct Live(Arc<Tally>);

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counted = self.0.counted();
        for (name, help, value) in [
            (
                "live_packets",
                "Packets of pictures and sound sent to viewers",
                counted.packets,
            ),
            ("live_bytes", "Bytes in those packets", counted.bytes),
            (
                "live_packets_again",
                "Of those packets, such as viewers had lost on the way",
                counted.packets_again,
            ),
            (
                "live_packets_dropped",
                "Packets that did not leave, because the socket was full",
                counted.packets_lost,
            ),
            (
                "live_restarts",
                "Viewers who could not decode and were sent the newest GOP from its beginning",
                counted.restarts,
            ),
            (
                "live_skips",
                "Viewers who went on with a newer sync picture, because they were too slow or pictures were lost",
                counted.skips,
            ),
        ] {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode(metric)?;
        }
        let gauge = ConstGauge::new(i64::try_from(counted.viewers).unwrap_or(i64::MAX));
        let help = "Viewers by WebRTC";
        let metric = encoder.encode_descriptor("live_viewers", help, None, MetricType::Gauge)?;
        gauge.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_counts_what_happened_under_the_patterns_of_routes() {
        let metrics = Meters::default();
        let page = Metrics::new(&metrics, Arc::default(), Arc::default());
        metrics.request("GET", "/api/v1/cameras/{id}", 404, Duration::from_millis(3));
        metrics.request("X-EVIL", "other", 405, Duration::from_millis(3));
        metrics.agents_connected(2);
        metrics.connection(Outcome::Refused);
        metrics.pull(Some(Duration::from_millis(90)));
        metrics.pull(None);
        let page = page.render();
        for line in [
            "cctv_coordinator_http_request_duration_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/api/v1/cameras/{id}\",status=\"404\"} 1",
            "cctv_coordinator_agents_connected 2",
            "cctv_coordinator_agent_connections_total{outcome=\"refused\"} 1",
            "cctv_coordinator_edge_pull_first_byte_seconds_count 1",
            "cctv_coordinator_edge_pulls_failed_total 1",
            "cctv_coordinator_upload_bytes_total 0",
            "# TYPE cctv_coordinator_edge_cache_bytes gauge",
            "cctv_coordinator_live_viewers 0",
        ] {
            assert!(page.contains(line), "{line}\nin\n{page}");
        }
        assert!(page.contains("method=\"other\"") && !page.contains("EVIL"));
        assert!(page.ends_with("# EOF\n"));
    }
}
