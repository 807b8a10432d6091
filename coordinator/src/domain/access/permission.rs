//! Permissions as people write them: `camera:METRO:view` lets, `!camera:METRO:export` forbids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::id::CameraId;

use crate::domain::agency::AgencyCode;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    )*};
}

names! {
    /// What kind of thing a permission is about.
    Kind {
        Agency = "agency",
        Agent = "agent",
        Audit = "audit",
        Camera = "camera",
        /// Groups, and the roles that they and people have.
        Group = "group",
        Storage = "storage",
        System = "system",
        /// Tokens of machines that belong to somebody else.
        Token = "token",
        User = "user",
    }

    /// What may be done to it. [`Action::Admin`] includes all others.
    Action {
        Admin = "admin",
        Clip = "clip",
        Configure = "configure",
        Export = "export",
        Playback = "playback",
        Ptz = "ptz",
        View = "view",
    }
}

/// Which things of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Everything,
    /// Things of the agency of whoever has the permission.
    Own,
    Agency(AgencyCode),
    /// One camera, whatever its agency.
    Camera(CameraId),
}

/// `kind:scope:action`; `None` stands for any, written `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    pub kind: Option<Kind>,
    pub scope: Scope,
    pub action: Option<Action>,
}

impl Permission {
    /// `*:*:*`.
    pub const EVERYTHING: Self = Self {
        kind: None,
        scope: Scope::Everything,
        action: None,
    };

    /// What it means for somebody of this agency; `None` when it means nothing, because it speaks of
    /// the own agency of somebody who has none.
    pub fn of(self, agency: Option<&AgencyCode>) -> Option<Self> {
        let scope = match self.scope {
            Scope::Own => Scope::Agency(agency?.clone()),
            other => other,
        };
        Some(Self { scope, ..self })
    }
}

/// A permission that is given or taken. What is taken stays taken, whoever gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    Allow(Permission),
    Deny(Permission),
}

impl Rule {
    /// Longest text read; ours are far shorter.
    const MAX_LENGTH: usize = 96;

    pub const fn permission(&self) -> &Permission {
        match self {
            Self::Allow(permission) | Self::Deny(permission) => permission,
        }
    }

    /// As [`Permission::of`].
    pub fn of(self, agency: Option<&AgencyCode>) -> Option<Self> {
        Some(match self {
            Self::Allow(permission) => Self::Allow(permission.of(agency)?),
            Self::Deny(permission) => Self::Deny(permission.of(agency)?),
        })
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not a permission: it reads kind:scope:action, such as camera:METRO:view, camera:own:playback or user:*:admin, with ! before it to forbid"
)]
pub struct PermissionError {
    text: String,
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        parse(text).ok_or_else(|| PermissionError {
            text: text.chars().take(Rule::MAX_LENGTH).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Permission> {
    if text.len() > Rule::MAX_LENGTH {
        return None;
    }
    if text == "*" {
        return Some(Permission::EVERYTHING);
    }
    let mut parts = text.split(':');
    let (kind, scope, action) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let kind = match kind {
        "*" => None,
        name => Some(Kind::from_name(name)?),
    };
    let action = match action {
        "*" => None,
        name => Some(Action::from_name(name)?),
    };
    let scope = match scope {
        "*" => Scope::Everything,
        "own" => Scope::Own,
        camera if camera.contains('-') && kind == Some(Kind::Camera) => {
            Scope::Camera(camera.parse().ok()?)
        }
        agency => Scope::Agency(agency.parse().ok()?),
    };
    Some(Permission {
        kind,
        scope,
        action,
    })
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::EVERYTHING {
            return f.write_str("*");
        }
        write!(f, "{}:", self.kind.map_or("*", Kind::name))?;
        match &self.scope {
            Scope::Everything => f.write_str("*")?,
            Scope::Own => f.write_str("own")?,
            Scope::Agency(code) => write!(f, "{code}")?,
            Scope::Camera(id) => write!(f, "{id}")?,
        }
        write!(f, ":{}", self.action.map_or("*", Action::name))
    }
}

impl FromStr for Rule {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        match text.strip_prefix('!') {
            Some(permission) => permission.parse().map(Self::Deny),
            None => text.parse().map(Self::Allow),
        }
    }
}

impl TryFrom<String> for Rule {
    type Error = PermissionError;
    fn try_from(text: String) -> Result<Self, PermissionError> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(permission) => write!(f, "{permission}"),
            Self::Deny(permission) => write!(f, "!{permission}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::rule;
    use super::*;

    #[test]
    fn what_is_no_permission_is_refused() {
        for bad in [
            "",
            "!",
            "camera",
            "camera:METRO",
            "camera:METRO:view:more",
            "camera:METRO:fly",
            "kamera:METRO:view",
            "camera:metro:view",
            "camera: METRO:view",
            "CAMERA:METRO:view",
            "!!camera:METRO:view",
            "camera:01954f3e-8d2f:view",
            // A camera's id says nothing about people.
            "user:01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4:view",
            &format!("camera:{}:view", "A".repeat(100)),
        ] {
            assert!(bad.parse::<Rule>().is_err(), "{bad}");
        }
        assert_eq!("*:*:*".parse::<Rule>().unwrap().to_string(), "*");
    }

    #[test]
    fn own_means_the_agency_of_whoever_has_it() {
        let rule: Rule = "camera:own:view".parse().unwrap();
        let metro = "METRO".parse().unwrap();
        let meant = rule.clone().of(Some(&metro)).unwrap();
        assert_eq!(meant.to_string(), "camera:METRO:view");
        assert_eq!(rule.of(None), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(rule in rule()) {
            prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
        }

        #[test]
        fn foreign_text_never_panics(text in "\\PC{0,120}") {
            if let Ok(rule) = text.parse::<Rule>() {
                prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
            }
        }
    }
}
