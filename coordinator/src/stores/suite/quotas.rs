//! How many streams agencies may have.

use super::{Under, entry};
use crate::domain::agency::AgencyCode;
use crate::domain::quota::Allowed;

pub(crate) async fn limits_of_streams_are_read_back(store: Under) {
    let metro: AgencyCode = "METRO".parse().unwrap();
    let first = store.stream_limits().await.unwrap();
    let police = &first.agencies[&"DUBAI_POLICE".parse().unwrap()];
    assert_eq!((police.full, first.agencies[&metro].full), (50, 30));
    assert_eq!((first.total_full, first.agencies.len()), (500, 4));
    let allowed = Allowed {
        full: 0,
        reduced: 7,
        offers_reduced: false,
    };
    let set = store.set_stream_limit(metro.clone(), allowed, entry());
    assert!(set.await.unwrap());
    let nowhere = "NOWHERE".parse().unwrap();
    let set = store.set_stream_limit(nowhere, allowed, entry());
    assert!(!set.await.unwrap());
    store.set_stream_totals(40, 50, entry()).await.unwrap();
    let after = store.stream_limits().await.unwrap();
    assert_eq!(after.agencies[&metro], allowed);
    assert_eq!((after.total_full, after.total_reduced), (40, 50));
    assert_eq!(store.audit_head().await.unwrap().unwrap().number, 2);
}
