//! The one policy table: which permission each deed wants.
//!
//! A check names the deed literally; what it takes stands in [`POLICY`] and nowhere else.

use super::permission::{Action, Kind};

macro_rules! policy {
    ($($(#[$doc:meta])* $deed:ident: $kind:ident $action:ident;)*) => {
        /// What somebody wants to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Deed { $($(#[$doc])* $deed,)* }

        impl Deed {
            pub const ALL: &[Self] = &[$(Self::$deed,)*];
        }

        /// A deed, and the permission it takes on the thing it is done to.
        pub const POLICY: &[(Deed, Kind, Action)] = &[$((Deed::$deed, Kind::$kind, Action::$action),)*];
    };
}

policy! {
    /// See that the camera exists, its health and its timeline, and watch it live.
    ViewCamera: Camera View;
    /// Watch its recordings.
    PlayCamera: Camera Playback;
    /// Turn it.
    PtzCamera: Camera Ptz;
    /// Take footage out as evidence.
    ExportCamera: Camera Export;
    /// Keep and share clips of it.
    ClipCamera: Camera Clip;
    ConfigureCamera: Camera Configure;
    RestartCamera: Camera Configure;
    ProbeCamera: Camera Configure;
    /// See agents and sites.
    ViewAgents: Agent View;
    /// Invite and revoke agents.
    ManageAgents: Agent Admin;
    ViewStorage: Storage View;
    ViewUsers: User View;
    /// Create and change people, give and take what they may do, reset their credentials.
    ManageUsers: User Admin;
    /// See groups and roles.
    ViewGroups: Group View;
    ManageGroups: Group Admin;
    ViewAgencies: Agency View;
    ManageAgencies: Agency Configure;
    ViewAudit: Audit View;
    ExportAudit: Audit Export;
    /// See and revoke the API tokens of others.
    ManageTokens: Token Admin;
    /// Signing keys, identity providers and whatever else concerns everybody.
    ConfigureSystem: System Configure;
}

impl Deed {
    pub const fn wants(self) -> (Kind, Action) {
        let (_, kind, action) = POLICY[self as usize];
        (kind, action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_has_its_line() {
        for (index, (deed, ..)) in POLICY.iter().enumerate() {
            assert_eq!(*deed as usize, index);
        }
        assert_eq!(POLICY.len(), Deed::ALL.len());
    }
}
