//! The one policy table: who may do what to which thing.
//!
//! A check names the deed literally; who may do it stands in [`POLICY`] and nowhere else. The
//! answer tells *hidden* (the thing must look as if it did not exist) from *forbidden* (the thing
//! may be seen, the deed not done).

use serde::{Deserialize, Serialize};

use super::agency::AgencyCode;

/// What a person is allowed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, for every agency.
    Administrator,
    /// Watches the cameras of one agency.
    Operator,
}

impl Role {
    pub const ALL: [Self; 2] = [Self::Administrator, Self::Operator];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// See that the camera exists, its health and its timeline.
    ViewCamera,
    /// Watch its recordings.
    PlayCamera,
    ConfigureCamera,
    RestartCamera,
    ProbeCamera,
    /// See agents and sites.
    ViewAgents,
    /// Invite and revoke agents.
    ManageAgents,
    ViewStorage,
    ManageUsers,
}

impl Deed {
    pub const ALL: [Self; 9] = [
        Self::ViewCamera,
        Self::PlayCamera,
        Self::ConfigureCamera,
        Self::RestartCamera,
        Self::ProbeCamera,
        Self::ViewAgents,
        Self::ManageAgents,
        Self::ViewStorage,
        Self::ManageUsers,
    ];

    /// Kind of thing and action, as they stand in a permission such as `camera:METRO:playback`.
    pub const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::ViewCamera => ("camera", "view"),
            Self::PlayCamera => ("camera", "playback"),
            Self::ConfigureCamera => ("camera", "configure"),
            Self::RestartCamera => ("camera", "restart"),
            Self::ProbeCamera => ("camera", "probe"),
            Self::ViewAgents => ("agent", "view"),
            Self::ManageAgents => ("agent", "manage"),
            Self::ViewStorage => ("storage", "view"),
            Self::ManageUsers => ("user", "manage"),
        }
    }
}

/// How far a rule reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    /// Things of the actor's own agency.
    OwnAgency,
}

/// Whatever is not in here is not allowed.
pub const POLICY: &[(Role, Deed, Reach)] = &[
    (Role::Administrator, Deed::ViewCamera, Reach::Everything),
    (Role::Administrator, Deed::PlayCamera, Reach::Everything),
    (
        Role::Administrator,
        Deed::ConfigureCamera,
        Reach::Everything,
    ),
    (Role::Administrator, Deed::RestartCamera, Reach::Everything),
    (Role::Administrator, Deed::ProbeCamera, Reach::Everything),
    (Role::Administrator, Deed::ViewAgents, Reach::Everything),
    (Role::Administrator, Deed::ManageAgents, Reach::Everything),
    (Role::Administrator, Deed::ViewStorage, Reach::Everything),
    (Role::Administrator, Deed::ManageUsers, Reach::Everything),
    (Role::Operator, Deed::ViewCamera, Reach::OwnAgency),
    (Role::Operator, Deed::PlayCamera, Reach::OwnAgency),
];

/// Who wants to do it, as far as the policy cares.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub role: Role,
    pub agency: Option<&'a AgencyCode>,
}

/// What it would be done to.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
    /// A camera of this agency, and everything that comes from it.
    Camera(&'a AgencyCode),
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

pub fn decide(subject: Subject<'_>, deed: Deed, object: Object<'_>) -> Decision {
    let Object::Camera(_) = object else {
        return if allowed(subject, deed, object) {
            Decision::Allowed
        } else {
            Decision::Forbidden
        };
    };
    if !allowed(subject, Deed::ViewCamera, object) {
        Decision::Hidden
    } else if !allowed(subject, deed, object) {
        Decision::Forbidden
    } else {
        Decision::Allowed
    }
}

fn allowed(subject: Subject<'_>, deed: Deed, object: Object<'_>) -> bool {
    POLICY
        .iter()
        .filter(|(role, granted, _)| *role == subject.role && *granted == deed)
        .any(|(_, _, reach)| match (reach, object) {
            (Reach::Everything, _) => true,
            (Reach::OwnAgency, Object::Camera(agency)) => subject.agency == Some(agency),
            (Reach::OwnAgency, Object::System) => false,
        })
}

/// What the subject may do, for display; the server decides by [`decide`].
pub fn permissions(subject: Subject<'_>) -> Vec<String> {
    POLICY
        .iter()
        .filter(|(role, _, _)| *role == subject.role)
        .filter_map(|(_, deed, reach)| {
            let (kind, action) = deed.parts();
            let over = match reach {
                Reach::Everything => "*",
                Reach::OwnAgency => subject.agency?.as_str(),
            };
            Some(format!("{kind}:{over}:{action}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> AgencyCode {
        text.parse().unwrap()
    }

    #[test]
    fn operators_see_their_agency_and_nothing_of_the_others() {
        let (metro, bus) = (code("METRO"), code("BUS"));
        let operator = Subject {
            role: Role::Operator,
            agency: Some(&metro),
        };
        let own = Object::Camera(&metro);
        let foreign = Object::Camera(&bus);
        assert_eq!(decide(operator, Deed::PlayCamera, own), Decision::Allowed);
        assert_eq!(
            decide(operator, Deed::ConfigureCamera, own),
            Decision::Forbidden
        );
        for deed in Deed::ALL {
            assert_eq!(decide(operator, deed, foreign), Decision::Hidden);
        }
        assert_eq!(
            decide(operator, Deed::ViewAgents, Object::System),
            Decision::Forbidden
        );
        let nobody = Subject {
            role: Role::Operator,
            agency: None,
        };
        assert_eq!(decide(nobody, Deed::ViewCamera, own), Decision::Hidden);
        assert!(permissions(nobody).is_empty());
        assert_eq!(
            permissions(operator),
            ["camera:METRO:view", "camera:METRO:playback"]
        );
    }

    #[test]
    fn administrators_may_do_everything() {
        let metro = code("METRO");
        let administrator = Subject {
            role: Role::Administrator,
            agency: None,
        };
        for deed in Deed::ALL {
            for object in [Object::System, Object::Camera(&metro)] {
                assert_eq!(decide(administrator, deed, object), Decision::Allowed);
            }
        }
    }

    #[test]
    fn the_policy_names_nothing_twice() {
        for (index, (role, deed, _)) in POLICY.iter().enumerate() {
            let twice = POLICY[index + 1..]
                .iter()
                .any(|(other, granted, _)| other == role && granted == deed);
            assert!(!twice, "{role:?} {deed:?}");
        }
    }
}
