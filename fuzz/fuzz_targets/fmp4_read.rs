//! Files, fragments and init parts from a disk that may have done anything to them.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use shared::fmp4::contents::Contents;
use shared::fmp4::init;
use shared::fmp4::read::{Walk, walk};
use shared::hash::Sha256;
use shared::testing;

fuzz_target!(|data: &[u8]| {
    check(data);
    // The same behind an init part that is in order, so that the fragments are looked at.
    let init = init::write(&testing::parameters()).expect("real parameters");
    check(&[&init, data].concat());

    let _ = init::read(data);
    if let Ok(contents) = Contents::of(data) {
        let video = contents.video.iter().map(|(_, range)| range);
        let mut ranges = video.chain(contents.audio.iter().map(|(_, range)| range));
        assert!(ranges.all(|range| data.get(range.clone()).is_some()));
    }
});

fn check(file: &[u8]) {
    let Ok(walk) = walk(Cursor::new(file)) else {
        return;
    };
    let Walk {
        init,
        fragments,
        beyond,
        ..
    } = &walk;
    let mut end = u64::from(init.length);
    for fragment in fragments {
        assert_eq!(fragment.offset, end);
        end = fragment.end_offset();
    }
    assert_eq!(walk.end(), end);
    for fragment in fragments.iter().chain(beyond) {
        let range = fragment.offset as usize..fragment.end_offset() as usize;
        assert_eq!(Sha256::of(&file[range]), fragment.sha256);
    }
    for fragment in beyond {
        assert!(fragment.offset > end);
        end = fragment.end_offset() - 1;
    }
}
