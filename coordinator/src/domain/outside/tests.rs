use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;
use shared::id::UserId;
use shared::time::WallTime;

use super::*;
use crate::domain::agency::Agency;
use crate::domain::directory::Directory;
use crate::domain::group::{Group, RoleCode};
use crate::domain::login::LoginError;
use crate::domain::text::Name;
use crate::domain::user::{Login, Status, User};

const NOW: WallTime = WallTime::from_secs(1_800_000_000);
const ISSUER: &str = "https://sso.example";

fn name(text: &str) -> Name {
    Name {
        en: text.parse().unwrap(),
        ar: text.parse().unwrap(),
    }
}

fn group_id(number: u8) -> GroupId {
    GroupId::from_slice(&[number; 16]).unwrap()
}

fn code(text: &str) -> AgencyCode {
    text.parse().unwrap()
}

/// Agencies METRO and BUS; groups 1 of METRO, 2 of BUS, 3 and 4 of everybody.
fn directory() -> Directory {
    let mut directory = Directory::default();
    for agency in ["METRO", "BUS"] {
        let made = Agency {
            code: code(agency),
            name: name(agency),
            revision: 1,
        };
        directory.agencies.insert(made.code.clone(), made);
    }
    for (number, agency) in [(1, Some("METRO")), (2, Some("BUS")), (3, None), (4, None)] {
        let group = Group {
            id: group_id(number),
            name: name(&format!("group {number}")),
            agency: agency.map(code),
            roles: BTreeSet::new(),
            rules: Vec::new(),
            revision: 1,
        };
        directory.groups.insert(group.id, group);
    }
    directory
}

fn layla() -> User {
    User {
        id: UserId::from_slice(&[9; 16]).unwrap(),
        login: Login::chosen("layla").unwrap(),
        display_name: "Layla".parse().unwrap(),
        arabic_name: None,
        email: None,
        employee_number: None,
        agency: Some(code("METRO")),
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

/// Groups 1, 2 and 3 follow the issuer, and one that is gone; group 4 is given here alone.
fn mapping() -> Mapping {
    let groups = [
        ("metro-watch", 1),
        ("bus-watch", 2),
        ("everybody", 3),
        ("old", 7),
    ];
    Mapping {
        claims: ClaimNames {
            login: "preferred_username".to_owned(),
            email: "email".to_owned(),
            display_name: "name".to_owned(),
            arabic_name: "https://rta.example/name_ar".to_owned(),
            employee_number: "/employee/number".to_owned(),
            agency: "agency".to_owned(),
            department: "department".to_owned(),
            section: String::new(),
            groups: "groups".to_owned(),
        },
        agencies: [("metro", "METRO"), ("bus", "BUS")]
            .map(|(value, agency)| (value.to_owned(), code(agency)))
            .into(),
        groups: groups
            .map(|(value, number)| (value.to_owned(), group_id(number)))
            .into(),
        create: true,
    }
}

fn read(mapping: &Mapping, claims: &Value) -> Result<Vouched, ClaimsError> {
    mapping.read(ISSUER, claims.as_object().unwrap())
}

#[test]
fn claims_are_read_where_the_settings_say() {
    let vouched = read(
        &mapping(),
        &json!({
            "sub": "248289761001",
            "preferred_username": "layla",
            "name": " Layla Hassan ",
            "https://rta.example/name_ar": "ليلى حسن",
            "email": "layla@example.org",
            "employee": { "number": "E-1001" },
            "agency": "metro",
            "department": "line\nbreak",
            "section": "not taken",
            "groups": ["everybody", "administrators", 7, "metro-watch"],
        }),
    )
    .unwrap();
    assert_eq!(vouched.identity.subject(), "248289761001");
    assert_eq!(vouched.display_name.unwrap().as_str(), "Layla Hassan");
    assert_eq!(vouched.arabic_name.unwrap().as_str(), "ليلى حسن");
    assert_eq!(vouched.employee_number.unwrap().as_str(), "E-1001");
    assert_eq!(vouched.agency, Some(code("METRO")));
    assert_eq!((vouched.department, vouched.section), (None, None));
    assert_eq!(vouched.groups, [group_id(1), group_id(3)].into());
}

#[test]
fn what_decides_about_rights_is_told_or_refused() {
    let refused = |claims| read(&mapping(), &claims).unwrap_err();
    assert_eq!(
        refused(json!({ "agency": "metro" })),
        ClaimsError::NoSubject
    );
    let long = "x".repeat(256);
    for sub in [json!(""), json!(7), json!("a\u{0}b"), json!(long)] {
        let claims = json!({ "sub": sub, "agency": "metro" });
        assert_eq!(refused(claims), ClaimsError::NoSubject);
    }
    for agency in [json!(null), json!(["metro"]), json!(" ")] {
        let claims = json!({ "sub": "1", "agency": agency });
        assert!(matches!(refused(claims), ClaimsError::NoAgency { .. }));
    }
    // Values are compared as they are, codes of ours are not values of theirs.
    for agency in ["METRO", "police", "*"] {
        let claims = json!({ "sub": "1", "agency": agency });
        assert!(matches!(refused(claims), ClaimsError::UnknownAgency { .. }));
    }
    let elsewhere = json!({ "sub": "1", "agency": "bus", "_claim_names": { "groups": "src1" } });
    assert_eq!(refused(elsewhere), ClaimsError::GroupsElsewhere);
    let many = vec!["everybody"; MAX_GROUPS + 1];
    let many = json!({ "sub": "1", "agency": "bus", "groups": many });
    assert_eq!(refused(many), ClaimsError::GroupsElsewhere);
    let unverified =
        json!({ "sub": "1", "agency": "bus", "email": "a@b.example", "email_verified": false });
    assert_eq!(read(&mapping(), &unverified).unwrap().email, None);
}

fn vouched(claims: Value) -> Vouched {
    read(&mapping(), &claims).unwrap()
}

#[test]
fn a_newcomer_is_made_only_where_the_settings_and_the_login_allow() {
    let claims = |login: &str| json!({ "sub": "1", "agency": "metro", "preferred_username": login, "groups": ["metro-watch", "bus-watch", "old"] });
    let mut directory = directory();
    let made = arrive(&directory, None, &vouched(claims("layla")), &mapping(), NOW);
    let Ok(Arrival::New(made)) = made else {
        panic!("{made:?}");
    };
    assert_eq!(
        (made.login.as_str(), made.agency),
        ("layla", Some(code("METRO")))
    );
    assert_eq!(
        made.groups,
        [group_id(1)].into(),
        "not those of BUS, not those that are gone"
    );
    assert!(made.roles.is_empty() && made.rules.is_empty());

    let closed = Mapping {
        create: false,
        ..mapping()
    };
    let refused = |directory: &Directory, login: &str, mapping: &Mapping| {
        arrive(directory, None, &vouched(claims(login)), mapping, NOW).unwrap_err()
    };
    assert_eq!(
        refused(&directory, "layla", &closed),
        ArrivalRefusal::Unknown
    );
    directory.users.insert(layla().id, layla());
    for login in ["layla", "LAYLA", "ｌａｙｌａ", "1ayla"] {
        assert!(
            matches!(
                refused(&directory, login, &mapping()),
                ArrivalRefusal::LoginTaken { .. }
            ),
            "{login}"
        );
    }
    let mixed = refused(&directory, "lаyla", &mapping());
    assert_eq!(mixed, ArrivalRefusal::Login(LoginError::MixedScripts));
    let nameless = vouched(json!({ "sub": "1", "agency": "metro" }));
    let nameless = arrive(&directory, None, &nameless, &mapping(), NOW);
    assert_eq!(nameless, Err(ArrivalRefusal::NoLogin));
}

#[test]
fn who_was_moved_there_is_moved_here_unless_somebody_here_gave_them_something() {
    let to_bus =
        vouched(json!({ "sub": "1", "agency": "bus", "groups": ["bus-watch", "metro-watch"] }));
    let arriving = |user: &User| {
        let mut directory = directory();
        directory.users.insert(user.id, user.clone());
        arrive(&directory, Some(user.id), &to_bus, &mapping(), NOW)
    };
    let mut user = layla();
    user.groups = [group_id(1)].into();
    let Ok(Arrival::Changed(moved)) = arriving(&user) else {
        panic!("{:?}", arriving(&user));
    };
    assert_eq!(moved.agency, Some(code("BUS")));
    assert_eq!(moved.groups, [group_id(2)].into());
    let given: [&dyn Fn(&mut User); 3] = [
        &|user| user.roles = [RoleCode::operator()].into(),
        &|user| user.rules = vec!["camera:own:view".parse().unwrap()],
        &|user| user.groups = [group_id(4)].into(),
    ];
    for give in given {
        let mut user = layla();
        give(&mut user);
        assert_eq!(arriving(&user), Err(ArrivalRefusal::Moved));
    }
}

fn person() -> impl Strategy<Value = User> {
    (
        subsequence(vec![1_u8, 3, 4], 0..=3),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(groups, disabled, operator, ruled)| {
            let mut user = layla();
            user.groups = groups.into_iter().map(group_id).collect();
            if disabled {
                user.status = Status::Disabled;
            }
            if operator {
                user.roles = [RoleCode::operator()].into();
            }
            if ruled {
                user.rules = vec!["!camera:METRO:export".parse().unwrap()];
            }
            user
        })
}

fn claims() -> impl Strategy<Value = Value> {
    let group = select(vec![
        "metro-watch",
        "bus-watch",
        "everybody",
        "old",
        "administrator",
        "*",
        "METRO",
    ]);
    let text = prop_oneof![
        "[a-z]{1,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!({})),
        Just(json!(["x"])),
    ];
    (
        select(vec!["metro", "bus", "police", "METRO"]),
        prop::collection::vec(group, 0..6),
        prop::collection::vec(text, 4),
    )
        .prop_map(|(agency, groups, texts)| {
            json!({
                "sub": "1", "agency": agency, "groups": groups,
                "preferred_username": texts[0], "name": texts[1], "email": texts[2],
                "employee": { "number": texts[3] },
                // What somebody might hope to be taken over as it is.
                "roles": ["administrator"], "permissions": ["*"], "status": "ACTIVE",
            })
        })
}

proptest! {
    /// Whatever an issuer says, nobody has more than the mapping and this system give.
    #[test]
    fn a_vouch_gives_what_the_mapping_names_and_nothing_else(
        user in person(), claims in claims(), known in any::<bool>(), create in any::<bool>(),
    ) {
        let mapping = Mapping { create, ..mapping() };
        let mut directory = directory();
        directory.users.insert(user.id, user.clone());
        let Ok(vouched) = mapping.read(ISSUER, claims.as_object().unwrap()) else {
            prop_assert!(["police", "METRO"].contains(&claims["agency"].as_str().unwrap()));
            return Ok(());
        };
        let linked = known.then_some(user.id);
        let arrived = match arrive(&directory, linked, &vouched, &mapping, NOW) {
            Err(_) => return Ok(()),
            Ok(Arrival::Known(id)) => directory.users[&id].clone(),
            Ok(Arrival::Changed(user) | Arrival::New(user)) => *user,
        };
        prop_assert!(known || create);
        prop_assert_eq!(arrived.status, Status::Active);
        let agency = claims["agency"].as_str().unwrap();
        prop_assert_eq!(arrived.agency.as_ref(), mapping.agencies.get(agency));
        let (before, own) = if known { (user.groups.clone(), user.clone()) } else { (BTreeSet::new(), arrived.clone()) };
        if known {
            prop_assert_eq!(user.status, Status::Active, "disabled here is disabled");
            prop_assert_eq!((&arrived.roles, &arrived.rules, &arrived.login), (&own.roles, &own.rules, &own.login));
        } else {
            prop_assert!(arrived.roles.is_empty() && arrived.rules.is_empty());
            prop_assert_ne!(arrived.login.skeleton(), user.login.skeleton());
        }
        let told: Vec<&str> = claims["groups"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for number in [1, 2, 3, 4, 7] {
            let id = group_id(number);
            let managed = mapping.groups.iter().find(|(_, group)| **group == id);
            let expected = match managed {
                None => before.contains(&id),
                Some((value, _)) => told.contains(&value.as_str())
                    && directory.groups.get(&id).is_some_and(|group| group.agency.is_none() || group.agency == arrived.agency),
            };
            prop_assert_eq!(arrived.groups.contains(&id), expected, "group {}", number);
        }
        // And the directory takes it, so that nobody is refused for what was decided here.
        if let Some(agency) = &arrived.agency {
            prop_assert!(directory.agencies.contains_key(agency));
        }
    }
}
