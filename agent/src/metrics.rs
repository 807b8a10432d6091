//! What Prometheus is told. Counters are kept where things happen; everything else is read when
//! somebody asks, so that nothing in the path of a picture touches this module.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counters.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters of the uplink.
#[derive(Clone, Debug, Default)]
pub struct UplinkCounters {
    connections: Counter,
    disconnections: Counter,
    upload_bytes: Counter,
    uploads: Counter,
}

impl UplinkCounters {
    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_ended(&self) {
        self.disconnections.inc();
    }

    pub(crate) fn uploaded_bytes(&self, bytes: u64) {
        self.upload_bytes.inc_by(bytes);
    }

    pub(crate) fn uploaded(&self) {
        self.uploads.inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "cctv_agent_uplink_connections",
            "Connections to the coordinator that were established",
            self.connections.clone(),
        );
        registry.register(
            "cctv_agent_uplink_failures",
            "Connections to the coordinator that failed or ended",
            self.disconnections.clone(),
        );
        registry.register(
            "cctv_agent_upload_bytes",
            "Bytes of recordings handed to the connection",
            self.upload_bytes.clone(),
        );
        registry.register(
            "cctv_agent_uploads",
            "Recordings the coordinator has stored",
            self.uploads.clone(),
        );
    }
}
