//! Configuration records, access units and parameter sets of H.265 cameras.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use shared::codec::h265;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Record(&'a [u8]),
    AccessUnit(&'a [u8], &'a [u8]),
    /// Sets put into a record, then seen again in band.
    Sets(Vec<&'a [u8]>, Vec<&'a [u8]>, Vec<&'a [u8]>),
}

fuzz_target!(|input: Input| {
    match input {
        Input::Record(record) => {
            let _ = h265::parameters(record.to_vec().into());
        }
        Input::AccessUnit(record, payload) => {
            h265::is_sync(payload);
            if let Ok(Some(new)) = h265::updated(record, payload) {
                assert_eq!(h265::updated(&new, payload), Ok(None));
            }
        }
        Input::Sets(vps, sps, pps) => {
            let made = h265::configuration(
                vps.iter().copied(),
                sps.iter().copied(),
                pps.iter().copied(),
            );
            if let Ok(config) = made {
                let units: Vec<_> = vps.into_iter().chain(sps).chain(pps).collect();
                let _ = h265::updated(&config, &in_band(&units)).expect("sets that were readable");
            }
        }
    }
});

fn in_band(units: &[&[u8]]) -> Vec<u8> {
    let behind_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes(), *unit].concat();
    units.iter().flat_map(behind_length).collect()
}
