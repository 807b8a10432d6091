//! Configuration records, access units and parameter sets of H.264 cameras.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use shared::codec::{aac, h264, nal};
use shared::testing;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Record(&'a [u8]),
    AccessUnit(&'a [u8]),
    /// Sets put into a record, then seen again in band.
    Sets(Vec<&'a [u8]>, Vec<&'a [u8]>),
    Sound(&'a [u8]),
}

fuzz_target!(|input: Input| {
    match input {
        Input::Record(record) => {
            let _ = h264::parameters(record.to_vec().into());
            let _ = h264::updated(record, &in_band(&[testing::SPS, testing::PPS]));
        }
        Input::AccessUnit(payload) => {
            h264::is_sync(payload);
            let units = nal::units(payload).map_while(Result::ok).map(<[u8]>::len);
            assert!(units.sum::<usize>() <= payload.len());
            let config = testing::parameters().video.config;
            if let Ok(Some(new)) = h264::updated(&config, payload) {
                assert_eq!(h264::updated(&new, payload), Ok(None));
            }
        }
        Input::Sets(sps, pps) => {
            let made = h264::configuration(sps.iter().copied(), pps.iter().copied());
            if let Ok(config) = made {
                let units: Vec<_> = sps.into_iter().chain(pps).collect();
                // The later of two sets of one id counts, here and there.
                let _ = h264::updated(&config, &in_band(&units)).expect("sets that were readable");
            }
        }
        Input::Sound(config) => {
            if let Ok(sound) = aac::parameters(config.to_vec().into()) {
                assert!(sound.sample_rate > 0 && sound.channels > 0);
            }
        }
    }
});

fn in_band(units: &[&[u8]]) -> Vec<u8> {
    let behind_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes(), *unit].concat();
    units.iter().flat_map(behind_length).collect()
}
