//! Who may do what to which thing.
//!
//! Somebody's permissions are the rules of their roles, of their groups and of their own. They may
//! do what at least one rule allows and none denies: a denial wins, whatever gave the permission.
//! The answer tells *hidden* (the thing must look as if it did not exist) from *forbidden* (the
//! thing may be seen, the deed not done).

mod permission;
mod permissions;
mod policy;
#[cfg(test)]
pub(crate) mod strategies;

pub use permission::{Action, Kind, Permission, PermissionError, Rule, Scope};
pub use permissions::Permissions;
pub use policy::{Deed, POLICY};
use shared::id::CameraId;

use super::agency::AgencyCode;

/// What a deed would be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// A camera, and everything that comes from it.
    Camera {
        agency: &'a AgencyCode,
        id: CameraId,
    },
    /// Something of an agency: a person, a group, an entry of the audit, the agency itself; `None`
    /// when it belongs to none.
    Of(Option<&'a AgencyCode>),
    /// The system itself; it belongs to no agency and is no secret.
    System,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// Answer as if the thing did not exist.
    Hidden,
    /// The thing may be seen, but not this.
    Forbidden,
}

/// The one decision.
pub fn decide(permissions: &Permissions, deed: Deed, object: Object<'_>) -> Decision {
    let (kind, action) = deed.wants();
    let secret = object != Object::System;
    if secret && !permissions.allow(kind, Action::View, object) {
        Decision::Hidden
    } else if permissions.allow(kind, action, object) {
        Decision::Allowed
    } else {
        Decision::Forbidden
    }
}

#[cfg(test)]
mod tests;
