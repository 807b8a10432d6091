//! Rules and things for property tests, few enough that they meet often.

use proptest::prelude::*;
use proptest::sample::select;
use shared::id::CameraId;

use super::{Action, Kind, Permission, Rule, Scope};
use crate::domain::agency::AgencyCode;

pub(crate) fn agency() -> impl Strategy<Value = AgencyCode> {
    select(vec!["METRO", "BUS", "POLICE"]).prop_map(|code| code.parse().unwrap())
}

pub(crate) fn camera() -> impl Strategy<Value = CameraId> {
    (0_u8..4).prop_map(|number| CameraId::from_slice(&[number; 16]).unwrap())
}

pub(crate) fn permission() -> impl Strategy<Value = Permission> {
    let kind = prop_oneof![1 => Just(None), 3 => Just(Some(Kind::Camera)), 3 => select(Kind::ALL).prop_map(Some)];
    let action = prop_oneof![1 => Just(None), 4 => select(Action::ALL).prop_map(Some)];
    let scope = prop_oneof![
        Just(Scope::Everything),
        Just(Scope::Own),
        agency().prop_map(Scope::Agency),
        camera().prop_map(Scope::Camera),
    ];
    (kind, scope, action).prop_map(|(kind, scope, action)| Permission {
        // Only cameras are named one by one.
        kind: match scope {
            Scope::Camera(_) => Some(Kind::Camera),
            _ => kind,
        },
        scope,
        action,
    })
}

pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        3 => permission().prop_map(Rule::Allow),
        1 => permission().prop_map(Rule::Deny),
    ]
}
