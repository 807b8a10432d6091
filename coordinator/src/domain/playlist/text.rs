//! Writing playlist lines. A day has 15,000 entries, so numbers do not go through the formatting
//! machinery (which takes five times as long).

use shared::time::{Ticks90k, WallTime};

use super::Entry;

pub(super) struct Text(String);

impl Text {
    pub(super) fn with_room_for(entries: usize) -> Self {
        Self(String::with_capacity(512 + entries * 280))
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(super) fn number(&mut self, tag: &str, value: u64) {
        self.0.push_str(tag);
        self.digits(value);
        self.0.push('\n');
    }

    pub(super) fn head(&mut self, target_seconds: u64) {
        self.line("#EXTM3U");
        self.line("#EXT-X-VERSION:7");
        self.number("#EXT-X-TARGETDURATION:", target_seconds);
    }

    /// Where the player begins, in microseconds from the first picture.
    pub(super) fn start(&mut self, offset_us: i64) {
        self.0.push_str("#EXT-X-START:TIME-OFFSET=");
        self.seconds(offset_us);
        self.line(",PRECISE=YES");
    }

    pub(super) fn map(&mut self, address: &str, length: u32) {
        self.0.push_str("#EXT-X-MAP:URI=\"");
        self.0.push_str(address);
        self.0.push_str("\",BYTERANGE=\"");
        self.digits(length.into());
        self.line("@0\"");
    }

    pub(super) fn date(&mut self, time: WallTime) {
        self.0.push_str("#EXT-X-PROGRAM-DATE-TIME:");
        self.line(&time.to_rfc3339());
    }

    pub(super) fn entry(&mut self, entry: &Entry, address: &str) {
        self.0.push_str("#EXTINF:");
        self.seconds(microseconds(entry.duration));
        self.0.push_str(",\n#EXT-X-BYTERANGE:");
        self.digits(entry.bytes.end.saturating_sub(entry.bytes.start));
        self.0.push('@');
        self.digits(entry.bytes.start);
        self.0.push('\n');
        self.line(address);
    }

    /// Microseconds as seconds with six digits behind the point.
    fn seconds(&mut self, micros: i64) {
        let micros = micros.max(0).cast_unsigned();
        self.digits(micros / 1_000_000);
        // A one in front keeps the zeros; the point takes its place.
        let mut buffer = itoa::Buffer::new();
        let fraction = buffer.format(1_000_000 + micros % 1_000_000);
        self.0.push('.');
        self.0.push_str(&fraction[1..]);
    }

    fn digits(&mut self, value: u64) {
        self.0.push_str(itoa::Buffer::new().format(value));
    }
}

/// Rounded to the nearest microsecond.
const fn microseconds(ticks: Ticks90k) -> i64 {
    ticks.get().saturating_mul(100).saturating_add(4) / 9
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_everybody_writes_them(value in any::<u64>(), micros in 0..i64::MAX) {
            let mut text = Text::with_room_for(0);
            text.digits(value);
            prop_assert_eq!(&text.0, &value.to_string());
            let mut text = Text::with_room_for(0);
            text.seconds(micros);
            prop_assert_eq!(text.0, format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
        }
    }
}
