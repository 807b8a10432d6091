use proptest::prelude::*;
use shared::id::{AgentId, UserId};
use shared::time::WallTime;

use super::super::{Origin, What};
use super::*;

fn chain(length: usize) -> Vec<Record> {
    let mut head = None;
    let link = |number: usize| {
        let at = WallTime::from_micros(1_800_000_000_000_000 + number as i64);
        let who = match number % 4 {
            0 => Who::User(UserId::new(at)),
            1 => Who::Agent(AgentId::new(at)),
            2 => Who::Console,
            _ => Who::System,
        };
        let origin = Origin::new(
            number.is_multiple_of(2).then(|| [192, 0, 2, 7].into()),
            number.is_multiple_of(3).then_some("Mozilla/5.0"),
            (number % 5 < 3).then_some("01954f3e"),
        );
        let mut entry = Entry::new(at, who, What::ALL[number % What::ALL.len()])
            .in_agency((number % 3 == 1).then(|| "METRO".parse().unwrap()))
            .from_origin(origin);
        if number % 4 != 2 {
            entry = entry
                .on(number)
                .with(serde_json::json!({ "number": number }));
        }
        let record = Record::following(head, &entry, [number as u8; 16]);
        head = record.head();
        record
    };
    (1..=length).map(link).collect()
}

fn verify(records: &[Record], remembered: &[Head]) -> Result<Option<Head>, Broken> {
    let mut verifier = Verifier::new(remembered.to_vec());
    for record in records {
        verifier.next(record)?;
    }
    verifier.end()
}

/// Changes one field; `how` says to what.
fn mutate(record: &mut Record, field: usize, how: u8) {
    fn bytes(value: &mut Vec<u8>, how: u8) {
        match (how % 3, value.len()) {
            (0, length) if length > 0 => value[usize::from(how) % length] ^= 1 << (how % 8),
            (1, length) if length > 0 => drop(value.pop()),
            _ => value.push(how),
        }
    }
    fn text(value: &mut Option<Vec<u8>>, how: u8) {
        match value {
            None => *value = Some(vec![how; usize::from(how) % 4]),
            Some(_) if how % 4 == 3 => *value = None,
            Some(value) => bytes(value, how),
        }
    }
    let step = i64::from(how) + 1;
    match field {
        0 => record.chain += step,
        1 => record.number += step,
        2 => record.at_us -= step,
        3 => bytes(&mut record.who, how),
        4 => text(&mut record.who_id, how),
        5 => bytes(&mut record.what, how),
        6 => text(&mut record.agency, how),
        7 => text(&mut record.object, how),
        8 => text(&mut record.correlation_id, how),
        9 => text(&mut record.details, how),
        10 => text(&mut record.address, how),
        11 => text(&mut record.user_agent, how),
        12 => bytes(&mut record.salt, how),
        13 => bytes(&mut record.previous, how),
        _ => bytes(&mut record.hash, how),
    }
}

const FIELDS: usize = 15;

proptest! {
    #[test]
    fn one_changed_field_is_found_and_its_entry_named(
        length in 1_usize..20, at in any::<prop::sample::Index>(), field in 0..FIELDS, how: u8,
    ) {
        let mut records = chain(length);
        let at = at.index(length);
        mutate(&mut records[at], field, how);
        let broken = verify(&records, &[]).unwrap_err();
        prop_assert_eq!(broken.number(), at as u64 + 1, "{:?}", broken);
    }

    /// Two fields that stand beside each other cannot lend each other bytes.
    #[test]
    fn bytes_do_not_move_from_one_field_to_the_next(cut in 0_usize..5) {
        let mut records = chain(3);
        let name = b"METRO";
        let whole = Record { agency: Some(name.to_vec()), object: Some(Vec::new()), ..records[0].clone() };
        records[0] = whole.chained(None, [0; 16]);
        let moved = Record {
            agency: Some(name[..cut].to_vec()),
            object: Some(name[cut..].to_vec()),
            ..records[0].clone()
        };
        prop_assert_ne!(moved.computed(), records[0].computed());
    }

    #[test]
    fn an_exchange_is_found(length in 2_usize..20, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let mut records = chain(length);
        let (a, b) = (a.index(length), b.index(length));
        prop_assume!(a != b);
        records.swap(a, b);
        prop_assert_eq!(verify(&records, &[]).unwrap_err().number(), a.min(b) as u64 + 1);
        // And if the numbers are put right.
        for (number, record) in (1..).zip(&mut records) {
            record.number = number;
        }
        prop_assert_eq!(verify(&records, &[]).unwrap_err().number(), a.min(b) as u64 + 1);
    }

    #[test]
    fn a_removed_entry_is_found(length in 2_usize..20, at in any::<prop::sample::Index>()) {
        let mut records = chain(length);
        let head = records[length - 1].head().unwrap();
        let at = at.index(length);
        records.remove(at);
        // The last one only by somebody who remembers it.
        prop_assert_eq!(verify(&records, &[head]).unwrap_err().number(), at as u64 + 1);
        prop_assert_eq!(verify(&records, &[]).is_err(), at + 1 < length);
    }

    #[test]
    fn an_inserted_entry_is_found(length in 1_usize..20, at in any::<prop::sample::Index>(), renumber: bool) {
        let mut records = chain(length);
        let at = at.index(length);
        let entry = Entry::new(WallTime::from_secs(1), Who::System, What::UserChanged);
        let before = at.checked_sub(1).and_then(|before| records[before].head());
        records.insert(at, Record::following(before, &entry, [7; 16]));
        if renumber {
            for (number, record) in (1..).zip(&mut records) {
                record.number = number;
            }
        }
        // The new one fits; the one it displaced does not.
        prop_assert_eq!(verify(&records, &[]).unwrap_err().number(), at as u64 + 2);
    }

    /// A chain that is rewritten perfectly from some entry on is caught by any head from there on.
    #[test]
    fn a_rewritten_tail_is_caught_by_any_later_head(
        length in 1_usize..20, from in any::<prop::sample::Index>(), known in any::<prop::sample::Index>(),
    ) {
        let honest = chain(length);
        let from = from.index(length);
        let mut records = honest.clone();
        records[from].object = Some(b"another".to_vec());
        let mut head = from.checked_sub(1).and_then(|before| honest[before].head());
        for record in &mut records[from..] {
            *record = record.clone().chained(head, [9; 16]);
            head = record.head();
        }
        prop_assert_eq!(verify(&records, &[]), Ok(head));
        let known = known.index(length);
        let verdict = verify(&records, &[honest[known].head().unwrap()]);
        if known < from {
            prop_assert_eq!(verdict, Ok(head));
        } else {
            prop_assert_eq!(verdict.unwrap_err().number(), known as u64 + 1);
        }
    }
}

#[test]
fn a_whole_chain_verifies_with_every_head_of_it() {
    let records = chain(50);
    let heads: Vec<_> = records.iter().filter_map(Record::head).collect();
    assert_eq!(verify(&records, &heads), Ok(heads.last().copied()));
    assert_eq!(verify(&[], &[]), Ok(None));
    assert_eq!(verify(&[], &heads).unwrap_err().number(), 1);
}

/// The bytes of `design/audit.md`: a change here is a new version of the encoding.
#[test]
fn the_encoding_is_the_documented_one() {
    let entry = Entry::new(
        WallTime::from_micros(1_772_373_600_000_000),
        Who::Console,
        What::UserCreated,
    )
    .on("01980a3c-5d1e-7c33-8a54-0b9f6f3e2d11")
    .in_agency(Some("METRO".parse().unwrap()))
    .from_origin(Origin::new(
        Some([192, 0, 2, 7].into()),
        None,
        Some("an-id"),
    ));
    let record = Record::following(None, &entry, [0x11; 16]);
    let mut text = b"cctv-audit-1 particulars\n".to_vec();
    text.extend([1, 0, 0, 0, 0, 0, 0, 0, 16]);
    text.extend([0x11; 16]);
    text.push(0);
    text.extend([1, 0, 0, 0, 0, 0, 0, 0, 9]);
    text.extend(b"192.0.2.7");
    text.push(0);
    let particulars = Sha256::of(&text);
    let mut bytes = b"cctv-audit-1 entry\n".to_vec();
    bytes.extend(1_i64.to_be_bytes());
    bytes.extend(1_i64.to_be_bytes());
    let field = |bytes: &mut Vec<u8>, value: &[u8]| {
        bytes.push(1);
        bytes.extend((value.len() as u64).to_be_bytes());
        bytes.extend(value);
    };
    field(&mut bytes, &[0; 32]);
    bytes.extend(1_772_373_600_000_000_i64.to_be_bytes());
    field(&mut bytes, b"console");
    bytes.push(0);
    field(&mut bytes, b"user_created");
    field(&mut bytes, b"METRO");
    field(&mut bytes, b"01980a3c-5d1e-7c33-8a54-0b9f6f3e2d11");
    field(&mut bytes, b"an-id");
    field(&mut bytes, particulars.as_bytes());
    assert_eq!(record.hash, Sha256::of(&bytes).as_bytes());
}

#[test]
fn a_head_is_read_as_it_is_written() {
    let head = chain(7)[6].head().unwrap();
    assert_eq!(head.to_string().parse(), Ok(head));
    let hash = "a".repeat(64);
    for wrong in [
        String::new(),
        "7".to_owned(),
        format!("0:{hash}"),
        format!("-1:{hash}"),
        format!("7:{}", &hash[1..]),
        format!("7:{}", hash.to_uppercase()),
        "7".repeat(100_000),
    ] {
        let error = wrong.parse::<Head>().unwrap_err();
        assert!(error.to_string().len() < 250, "{error}");
    }
}
