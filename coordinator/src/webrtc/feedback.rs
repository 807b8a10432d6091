//! What viewers report about what they got (RTCP), handed to whoever asked for it. The core of the
//! `webrtc` crate keeps it from the application unless a link of its chain passes it on; this is that
//! link, and the only one: what is done with reports is decided in `peer`.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Packets of RTCP from the viewer, in the order they came. Holds no more than was read at once.
pub(super) type Reports = mpsc::Receiver<Box<dyn rtcp::Packet>>;

/// See the module.
pub(super) struct Listener {
    reports: mpsc::Sender<Box<dyn rtcp::Packet>>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl Listener {
    pub(super) fn new() -> (Self, Reports) {
        let (sender, receiver) = mpsc::channel();
        let listener = Self {
            reports: sender,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        };
        (listener, receiver)
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Listener {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        match tagged.message.packet {
            Packet::Rtcp(packets) => {
                for packet in packets {
                    // Nobody asks any more when the viewer is about to go.
                    let _ = self.reports.send(packet);
                }
            }
            _ => self.inbound.push_back(tagged),
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        self.outbound.push_back(tagged);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), Error> {
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
}

impl Interceptor for Listener {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
