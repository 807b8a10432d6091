//! From NAL units of one access unit to RTP payloads, with room for the message that says which frame it is.

use std::sync::Arc;

use bytes::Bytes;

use crate::media::nal::{self, Kind, ParameterSets};
use crate::media::{Codec, Payload};
use crate::rtp::video;
use crate::stamp::SeiStamp;

/// An access unit cut into payloads, before it knows when it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// Delimiter and parameter sets; they stand before the frame's own message.
    lead: Vec<Payload>,
    /// Everything after it.
    pub(crate) body: Arc<[Payload]>,
    /// Decoding can begin here.
    pub(crate) key: bool,
    /// Parameter sets found in the access unit.
    pub(crate) parameter_sets: ParameterSets,
}

impl Parts {
    /// `extra_sets` go in front of a key frame that brings none itself. With `keep_sei` the encoder's own messages stay.
    pub(crate) fn new(
        codec: Codec,
        nals: &[Bytes],
        extra_sets: &ParameterSets,
        keep_sei: bool,
    ) -> Self {
        let mut sets = ParameterSets::default();
        let (mut lead, mut rest) = (Vec::new(), Vec::new());
        let mut key = false;
        for unit in nals {
            let kind = Kind::of(codec, unit);
            key |= kind == Kind::KeySlice;
            match kind {
                Kind::Delimiter => lead.push(unit.clone()),
                kind if kind.is_parameter_set() => sets.collect(codec, unit),
                Kind::Sei if !keep_sei => {}
                _ => rest.push(unit.clone()),
            }
        }
        let in_front = if key && !sets.is_complete(codec) {
            extra_sets
        } else {
            &sets
        };
        let mut lead = video::packetise(codec, &lead);
        lead.extend(video::packetise_parameter_sets(codec, in_front));
        Self {
            lead,
            body: video::packetise_end(codec, &rest).into(),
            key,
            parameter_sets: sets,
        }
    }

    /// The payloads that differ from one showing of the frame to the next.
    pub(crate) fn head(&self, codec: Codec, stamp: SeiStamp) -> Vec<Payload> {
        let message = Payload {
            bytes: stamp.to_nal(nal::sei_header(codec)).into(),
            marker: false,
        };
        self.lead.iter().cloned().chain([message]).collect()
    }
}
