use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use shared::id::CameraId;
use shared::time::WallTime;

use super::*;
use crate::domain::access::strategies::{agency, rule};
use crate::domain::access::{Action, Kind, Scope};
use crate::domain::user::Login;

const NOW: WallTime = WallTime::from_secs(1_800_000_000);

fn code(text: &str) -> AgencyCode {
    text.parse().unwrap()
}

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn user(number: u8, login: &str, agency: Option<&str>) -> User {
    User {
        id: UserId::from_slice(&[number; 16]).unwrap(),
        login: Login::chosen(login).unwrap(),
        display_name: login.parse().unwrap(),
        arabic_name: None,
        email: None,
        employee_number: None,
        agency: agency.map(code),
        department: None,
        section: None,
        status: Status::Active,
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        rules: Vec::new(),
        created_at: NOW,
        revision: 1,
    }
}

fn name(text: &str) -> crate::domain::text::Name {
    crate::domain::text::Name {
        en: text.parse().unwrap(),
        ar: text.parse().unwrap(),
    }
}

fn group(number: u8, agency: Option<&str>, texts: &[&str]) -> Group {
    Group {
        id: GroupId::from_slice(&[number; 16]).unwrap(),
        name: name(&format!("group {number}")),
        agency: agency.map(code),
        roles: BTreeSet::new(),
        rules: rules(texts),
        revision: 1,
    }
}

/// Three agencies, an administrator of everything and one of METRO, an operator of each agency.
fn directory() -> Directory {
    let mut directory = Directory::default();
    for agency in ["BUS", "METRO", "POLICE"] {
        let agency = Agency {
            code: code(agency),
            name: name(agency),
            revision: 1,
        };
        directory.agencies.insert(agency.code.clone(), agency);
    }
    for (role, texts) in [
        ("administrator", &["*"][..]),
        (
            "agency_administrator",
            &["camera:own:*", "user:own:admin", "group:own:admin"],
        ),
        ("operator", &["camera:own:view", "camera:own:playback"]),
    ] {
        let role = Role {
            code: role.parse().unwrap(),
            name: name(role),
            rules: rules(texts),
            built_in: true,
            revision: 1,
        };
        directory.roles.insert(role.code.clone(), role);
    }
    for (number, login, agency, role) in [
        (1, "root", None, "administrator"),
        (2, "chief", Some("METRO"), "agency_administrator"),
        (3, "mona", Some("METRO"), "operator"),
        (4, "badr", Some("BUS"), "operator"),
    ] {
        let mut user = user(number, login, agency);
        user.roles.insert(role.parse().unwrap());
        directory.users.insert(user.id, user);
    }
    directory
}

fn id(number: u8) -> UserId {
    UserId::from_slice(&[number; 16]).unwrap()
}

fn group_id(number: u8) -> GroupId {
    GroupId::from_slice(&[number; 16]).unwrap()
}

/// What becomes of a change wanted by somebody.
fn by(directory: &Directory, author: u8, change: &Change) -> Result<Directory, Refusal> {
    let permissions = directory.permissions(&directory.users[&id(author)]);
    let author = Author {
        user: Some(id(author)),
        permissions: &permissions,
    };
    directory.after(author, change)
}

fn replaced(directory: &Directory, number: u8, with: impl FnOnce(&mut User)) -> Change {
    let mut user = directory.users[&id(number)].clone();
    with(&mut user);
    Change::ReplaceUser(Box::new(user))
}

#[test]
fn an_agency_manages_its_own_people_only() {
    let directory = directory();
    let disable = |number| Change::SetStatus(id(number), Status::Disabled);
    let after = by(&directory, 2, &disable(3)).unwrap();
    assert_eq!(after.users[&id(3)].status, Status::Disabled);
    assert_eq!((after.revision, after.users[&id(3)].revision), (1, 2));
    assert_eq!(by(&directory, 2, &disable(4)), Err(Refusal::Hidden));
    assert_eq!(by(&directory, 2, &disable(1)), Err(Refusal::Hidden));
    assert_eq!(by(&directory, 3, &disable(2)), Err(Refusal::Hidden));
    assert_eq!(by(&directory, 2, &disable(2)), Err(Refusal::Yourself));
    let moved = replaced(&directory, 3, |user| user.agency = Some(code("BUS")));
    assert_eq!(by(&directory, 2, &moved), Err(Refusal::Forbidden));
    let foreign = Change::CreateUser(Box::new(user(9, "newcomer", Some("BUS"))));
    assert_eq!(by(&directory, 2, &foreign), Err(Refusal::Forbidden));
    let own = Change::CreateUser(Box::new(user(9, "newcomer", Some("METRO"))));
    assert!(by(&directory, 2, &own).is_ok());
}

#[test]
fn nobody_gives_more_than_they_have() {
    let directory = directory();
    for text in ["camera:BUS:view", "*", "audit:METRO:view", "camera:*:view"] {
        let more = replaced(&directory, 3, |user| user.rules = rules(&[text]));
        assert!(
            matches!(by(&directory, 2, &more), Err(Refusal::MoreThanOwn { .. })),
            "{text}"
        );
    }
    let role = replaced(&directory, 3, |user| {
        user.roles.insert(RoleCode::administrator());
    });
    assert!(matches!(
        by(&directory, 2, &role),
        Err(Refusal::MoreThanOwn { .. })
    ));
    // Resetting the password of somebody who has more would be the same.
    let stronger = replaced(&directory, 3, |user| {
        user.rules = rules(&["camera:BUS:view"])
    });
    let directory = by(&directory, 1, &stronger).unwrap();
    let reset = Change::ResetCredentials(id(3));
    assert!(matches!(
        by(&directory, 2, &reset),
        Err(Refusal::MoreThanOwn { .. })
    ));
    let own = replaced(&directory, 2, |user| {
        user.rules = rules(&["storage:*:view"])
    });
    assert!(matches!(
        by(&directory, 2, &own),
        Err(Refusal::MoreThanOwn { .. })
    ));
}

#[test]
fn what_forbids_is_taken_back_only_by_those_who_may() {
    let mut directory = directory();
    let restraint = group(1, Some("METRO"), &["!audit:*:view"]);
    directory.groups.insert(restraint.id, restraint);
    directory
        .users
        .get_mut(&id(3))
        .unwrap()
        .groups
        .insert(group_id(1));
    let gone = Change::DeleteGroup(group_id(1));
    assert!(matches!(
        by(&directory, 2, &gone),
        Err(Refusal::MoreThanOwn { .. })
    ));
    let out = Change::RemoveMember(id(3), group_id(1));
    assert!(matches!(
        by(&directory, 2, &out),
        Err(Refusal::MoreThanOwn { .. })
    ));
    assert!(by(&directory, 1, &gone).is_ok());
}

#[test]
fn somebody_who_may_do_everything_remains() {
    let directory = directory();
    let demoted = replaced(&directory, 1, |user| user.roles.clear());
    assert_eq!(by(&directory, 1, &demoted), Err(Refusal::LastAdministrator));
    let second = replaced(&directory, 4, |user| {
        user.roles.insert(RoleCode::administrator());
    });
    let directory = by(&directory, 1, &second).unwrap();
    assert!(by(&directory, 1, &demoted).is_ok());
    let off = Change::SetStatus(id(1), Status::Disabled);
    let directory = by(&directory, 4, &off).unwrap();
    let last = replaced(&directory, 4, |user| user.roles.clear());
    assert_eq!(by(&directory, 4, &last), Err(Refusal::LastAdministrator));
}

#[test]
fn look_alikes_are_taken_and_stale_changes_refused() {
    let directory = directory();
    for alike in ["root", "r0ot", "mona"] {
        let change = Change::CreateUser(Box::new(user(9, alike, None)));
        assert!(
            matches!(by(&directory, 1, &change), Err(Refusal::Taken { .. })),
            "{alike}"
        );
    }
    let first = replaced(&directory, 3, |user| user.department = "Lines".parse().ok());
    let second = replaced(&directory, 3, |user| user.section = "Red".parse().ok());
    let directory = by(&directory, 1, &first).unwrap();
    assert_eq!(by(&directory, 1, &second), Err(Refusal::Stale));
    let unknown = replaced(&directory, 3, |user| user.agency = Some(code("TAXI")));
    assert!(matches!(
        by(&directory, 1, &unknown),
        Err(Refusal::Unknown { .. })
    ));
}

#[test]
fn groups_carry_roles_and_keep_to_their_agency() {
    let directory = directory();
    let mut watchers = group(1, Some("METRO"), &["camera:own:export"]);
    watchers.roles.insert(RoleCode::operator());
    let directory = by(&directory, 2, &Change::CreateGroup(watchers.clone())).unwrap();
    let directory = by(&directory, 2, &Change::AddMember(id(3), watchers.id)).unwrap();
    let mona = directory.permissions(&directory.users[&id(3)]);
    assert!(mona.cover(&"camera:METRO:export".parse().unwrap()));
    let foreign = Change::AddMember(id(4), watchers.id);
    assert!(matches!(
        by(&directory, 1, &foreign),
        Err(Refusal::OtherAgency { .. })
    ));
    let everywhere = group(2, None, &["camera:own:export"]);
    assert_eq!(
        by(&directory, 2, &Change::CreateGroup(everywhere)),
        Err(Refusal::Forbidden)
    );
    let gone = by(&directory, 2, &Change::DeleteGroup(watchers.id)).unwrap();
    assert!(gone.users[&id(3)].groups.is_empty());
    let built_in = Change::DeleteRole(RoleCode::operator());
    assert_eq!(by(&directory, 1, &built_in), Err(Refusal::BuiltIn));
}

#[test]
fn what_is_there_is_not_created_again() {
    let directory = directory();
    let denying = group(1, Some("METRO"), &["!camera:own:view"]);
    let directory = by(&directory, 1, &Change::CreateGroup(denying)).unwrap();
    let directory = by(&directory, 1, &Change::AddMember(id(2), group_id(1))).unwrap();
    let harmless = Change::CreateGroup(group(1, Some("METRO"), &[]));
    assert!(matches!(
        by(&directory, 2, &harmless),
        Err(Refusal::Taken { .. })
    ));
    let again = Change::CreateUser(Box::new(user(3, "renamed", Some("METRO"))));
    assert!(matches!(
        by(&directory, 2, &again),
        Err(Refusal::Taken { .. })
    ));
}

fn change() -> impl Strategy<Value = Change> {
    let user_id = || select(vec![1_u8, 2, 3, 4]).prop_map(id);
    let group_of = (
        1_u8..3,
        proptest::option::of(agency()),
        proptest::collection::vec(rule(), 0..4),
    );
    let group_of = group_of
        .prop_map(|(number, agency, rules)| Group {
            agency,
            rules,
            ..group(number, None, &[])
        })
        .boxed();
    let roles = || {
        proptest::sample::subsequence(
            vec![
                "administrator",
                "agency_administrator",
                "operator",
                "custom",
            ],
            0..3,
        )
    };
    let person = (
        user_id(),
        proptest::option::of(agency()),
        roles(),
        proptest::collection::vec(rule(), 0..4),
    );
    let person = person
        .prop_map(|(id, agency, roles, rules)| User {
            id,
            agency,
            roles: roles
                .into_iter()
                .map(|role| role.parse().unwrap())
                .collect(),
            rules,
            ..user(1, &format!("user-{}", id.as_bytes()[0]), None)
        })
        .boxed();
    let role = proptest::collection::vec(rule(), 0..4)
        .prop_map(|rules| Role {
            code: "custom".parse().unwrap(),
            name: name("custom"),
            rules,
            built_in: false,
            revision: 1,
        })
        .boxed();
    prop_oneof![
        person.prop_map(|user| Change::ReplaceUser(Box::new(user))),
        (user_id(), 1_u8..3).prop_map(|(user, group)| Change::AddMember(user, group_id(group))),
        (user_id(), 1_u8..3).prop_map(|(user, group)| Change::RemoveMember(user, group_id(group))),
        group_of.clone().prop_map(Change::CreateGroup),
        group_of.prop_map(Change::ReplaceGroup),
        (1_u8..3).prop_map(|group| Change::DeleteGroup(group_id(group))),
        role.clone().prop_map(Change::CreateRole),
        role.prop_map(Change::ReplaceRole),
        user_id().prop_map(|user| Change::SetStatus(user, Status::Active)),
    ]
}

/// The change as somebody would send it who has just looked.
fn fresh(directory: &Directory, mut change: Change) -> Change {
    match &mut change {
        Change::ReplaceUser(user) => user.revision = directory.users[&user.id].revision,
        Change::ReplaceGroup(group) => {
            group.revision = directory
                .groups
                .get(&group.id)
                .map_or(0, |known| known.revision);
        }
        Change::ReplaceRole(role) => {
            role.revision = directory
                .roles
                .get(&role.code)
                .map_or(0, |known| known.revision);
        }
        _ => {}
    }
    change
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever an author does, nobody comes to anything that the author had not.
    #[test]
    fn no_list_of_changes_gives_more_than_its_author_has(
        before in proptest::collection::vec(change(), 0..8),
        author in select(vec![2_u8, 3, 4]),
        given in proptest::collection::vec(rule(), 0..5),
        changes in proptest::collection::vec(change(), 1..8),
    ) {
        let mut directory = directory();
        for change in before {
            if let Ok(next) = by(&directory, 1, &fresh(&directory, change)) {
                directory = next;
            }
        }
        directory.users.get_mut(&id(author)).unwrap().rules.extend(given);
        let had: Vec<_> = directory.users.values().map(|user| directory.permissions(user)).collect();
        let own = directory.permissions(&directory.users[&id(author)]);
        for change in changes {
            let author = Author { user: Some(id(author)), permissions: &own };
            if let Ok(next) = directory.after(author, &fresh(&directory, change)) {
                directory = next;
            }
        }
        let metro = code("METRO");
        let objects = [
            Object::System,
            Object::Of(None),
            Object::Of(Some(&metro)),
            Object::Camera { agency: &metro, id: CameraId::from_slice(&[1; 16]).unwrap() },
        ];
        for (user, had) in directory.users.values().zip(&had) {
            let has = directory.permissions(user);
            for deed in Deed::ALL {
                for object in objects {
                    let allowed = |who: &Permissions| decide(who, *deed, object) == Decision::Allowed;
                    prop_assert!(
                        !allowed(&has) || allowed(had) || allowed(&own),
                        "{} may {deed:?} {object:?}", user.login.as_str()
                    );
                }
            }
        }
    }
}

#[test]
fn a_permission_of_one_camera_is_given_by_whoever_has_it() {
    let directory = directory();
    let camera = Permission {
        kind: Some(Kind::Camera),
        scope: Scope::Camera(CameraId::from_slice(&[1; 16]).unwrap()),
        action: Some(Action::View),
    };
    let one = replaced(&directory, 3, |user| {
        user.rules = vec![Rule::Allow(camera.clone())];
    });
    assert!(by(&directory, 1, &one).is_ok());
    assert_eq!(
        by(&directory, 2, &one),
        Err(Refusal::MoreThanOwn { permission: camera })
    );
}
