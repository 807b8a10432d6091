use proptest::prelude::*;
use proptest::sample::select;

use super::strategies::{agency, camera, permission, rule};
use super::*;

fn code(text: &str) -> AgencyCode {
    text.parse().unwrap()
}

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn gate(agency: &AgencyCode) -> Object<'_> {
    Object::Camera {
        agency,
        id: CameraId::from_slice(&[7; 16]).unwrap(),
    }
}

#[test]
fn operators_see_their_agency_and_nothing_of_the_others() {
    let (metro, bus) = (code("METRO"), code("BUS"));
    let operator = Permissions::new(
        rules(&["camera:own:view", "camera:own:playback"]),
        Some(&metro),
    );
    assert_eq!(
        decide(&operator, Deed::PlayCamera, gate(&metro)),
        Decision::Allowed
    );
    assert_eq!(
        decide(&operator, Deed::ConfigureCamera, gate(&metro)),
        Decision::Forbidden
    );
    for deed in Deed::ALL {
        assert_eq!(decide(&operator, *deed, gate(&bus)), Decision::Hidden);
    }
    assert_eq!(
        decide(&operator, Deed::ViewAgents, Object::System),
        Decision::Forbidden
    );
    let texts: Vec<_> = operator.rules().iter().map(Rule::to_string).collect();
    assert_eq!(texts, ["camera:METRO:playback", "camera:METRO:view"]);
    let nobody = Permissions::new(rules(&["camera:own:view"]), None);
    assert_eq!(nobody, Permissions::default());
}

#[test]
fn administrators_may_do_everything() {
    let metro = code("METRO");
    let administrator = Permissions::everything();
    for deed in Deed::ALL {
        for object in [
            Object::System,
            Object::Of(None),
            Object::Of(Some(&metro)),
            gate(&metro),
        ] {
            assert_eq!(decide(&administrator, *deed, object), Decision::Allowed);
        }
    }
}

#[test]
fn an_exception_for_one_camera_wins_over_the_agency() {
    let metro = code("METRO");
    let Object::Camera { id, .. } = gate(&metro) else {
        unreachable!()
    };
    let hidden = format!("!camera:{id}:view");
    let without = Permissions::new(rules(&["camera:METRO:*", &hidden]), None);
    assert_eq!(
        decide(&without, Deed::PlayCamera, gate(&metro)),
        Decision::Hidden
    );
    let other = Object::Camera {
        agency: &metro,
        id: CameraId::from_slice(&[8; 16]).unwrap(),
    };
    assert_eq!(decide(&without, Deed::PlayCamera, other), Decision::Allowed);
    let shared = format!("camera:{id}:view");
    let guest = Permissions::new(rules(&[&shared]), Some(&code("BUS")));
    assert_eq!(
        decide(&guest, Deed::ViewCamera, gate(&metro)),
        Decision::Allowed
    );
    assert_eq!(decide(&guest, Deed::ViewCamera, other), Decision::Hidden);
    assert!(guest.allow_some(Kind::Camera, Action::View));
    assert!(!guest.allow_some(Kind::User, Action::View));
}

/// What the rules say, read one by one.
fn naive(
    rules: &[Rule],
    agency: Option<&AgencyCode>,
    kind: Kind,
    action: Action,
    object: Object<'_>,
) -> bool {
    let matches = |permission: &Permission, admin_is_all: bool| {
        let kinds = permission.kind.is_none() || permission.kind == Some(kind);
        let actions = permission.action.is_none()
            || permission.action == Some(action)
            || (admin_is_all && permission.action == Some(Action::Admin));
        let scopes = match (&permission.scope, object) {
            (Scope::Everything, _) => true,
            (Scope::Own, Object::Camera { agency: of, .. } | Object::Of(Some(of))) => {
                agency == Some(of)
            }
            (Scope::Agency(code), Object::Camera { agency: of, .. } | Object::Of(Some(of))) => {
                code == of
            }
            (Scope::Camera(camera), Object::Camera { id, .. }) => *camera == id,
            _ => false,
        };
        kinds && actions && scopes
    };
    let allowed = rules
        .iter()
        .any(|rule| matches!(rule, Rule::Allow(permission) if matches(permission, true)));
    let denied = rules
        .iter()
        .any(|rule| matches!(rule, Rule::Deny(permission) if matches(permission, false)));
    allowed && !denied
}

#[derive(Clone, Debug)]
enum Thing {
    Camera(AgencyCode, CameraId),
    Of(Option<AgencyCode>),
    System,
}

impl Thing {
    const fn object(&self) -> Object<'_> {
        match self {
            Self::Camera(agency, id) => Object::Camera { agency, id: *id },
            Self::Of(agency) => Object::Of(agency.as_ref()),
            Self::System => Object::System,
        }
    }
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        3 => (agency(), camera()).prop_map(|(agency, id)| Thing::Camera(agency, id)),
        2 => proptest::option::of(agency()).prop_map(Thing::Of),
        1 => Just(Thing::System),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decision_is_that_of_the_naive_model(
        rules in proptest::collection::vec(rule(), 0..12),
        own in proptest::option::of(agency()),
        deed in select(Deed::ALL),
        thing in thing(),
    ) {
        let permissions = Permissions::new(rules.clone(), own.as_ref());
        let (kind, action) = deed.wants();
        let object = thing.object();
        let naive = |action| naive(&rules, own.as_ref(), kind, action, object);
        let expected = if !matches!(object, Object::System) && !naive(Action::View) {
            Decision::Hidden
        } else if naive(action) {
            Decision::Allowed
        } else {
            Decision::Forbidden
        };
        prop_assert_eq!(decide(&permissions, deed, object), expected);
        if expected == Decision::Allowed {
            prop_assert!(permissions.allow_some(kind, action));
        }
    }

    /// Whoever is handed what somebody covers can do nothing that this somebody cannot.
    #[test]
    fn nobody_hands_out_more_than_they_have(
        giver in proptest::collection::vec(rule(), 0..8),
        handed in permission(),
        own in proptest::option::of(agency()),
        deed in select(Deed::ALL),
        thing in thing(),
    ) {
        let giver = Permissions::new(giver, own.as_ref());
        if giver.cover(&handed) {
            let taker = Permissions::new([Rule::Allow(handed)], own.as_ref());
            let (kind, action) = deed.wants();
            let allowed = taker.allow(kind, action, thing.object());
            prop_assert!(!allowed || giver.allow(kind, action, thing.object()));
        }
    }

    #[test]
    fn everything_covers_everything(handed in permission()) {
        prop_assert!(Permissions::everything().cover(&handed));
    }
}
