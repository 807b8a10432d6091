//! What becomes of somebody for whom an issuer vouches: who they are here, and how they change.

use shared::id::UserId;
use shared::time::WallTime;

use super::{Mapping, Vouched};
use crate::domain::directory::{Directory, Refusal};
use crate::domain::login::LoginError;
use crate::domain::user::{Login, Status, User};

/// Somebody who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// As they stand in the directory.
    Known(UserId),
    /// To be changed to this first.
    Changed(Box<User>),
    /// To be made first.
    New(Box<User>),
}

/// Why somebody may not come in, though an issuer vouches for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalRefusal {
    #[error("nobody here is known by this identity; an administrator has to link it to an account")]
    Unknown,
    #[error("the issuer does not say what the account shall be called")]
    NoLogin,
    #[error("the issuer's name for the account cannot be a login here: {0}")]
    Login(LoginError),
    /// Never taken over: whoever has the account would lose it to whoever has the name there.
    #[error(
        "`{login}` is somebody's already; an administrator has to link the identity to the account if both are one person"
    )]
    LoginTaken { login: String },
    #[error("the account is disabled here")]
    Disabled,
    /// What somebody was given here was given in the old agency.
    #[error(
        "the issuer has moved the person to another agency; an administrator has to move the account"
    )]
    Moved,
    #[error(transparent)]
    Directory(#[from] Refusal),
}

/// Decides on the whole directory. `linked` is whom the identity belongs to.
///
/// # Errors
/// Whoever it is may not come in.
pub fn arrive(
    directory: &Directory,
    linked: Option<UserId>,
    vouched: &Vouched,
    mapping: &Mapping,
    now: WallTime,
) -> Result<Arrival, ArrivalRefusal> {
    let Some(id) = linked else {
        return newcomer(directory, vouched, mapping, now);
    };
    let known = directory.users.get(&id).ok_or(ArrivalRefusal::Unknown)?;
    if known.status == Status::Disabled {
        return Err(ArrivalRefusal::Disabled);
    }
    let mut user = known.clone();
    if let Some(agency) = &vouched.agency
        && known.agency.as_ref() != Some(agency)
    {
        if !is_all_vouched(known, mapping) {
            return Err(ArrivalRefusal::Moved);
        }
        user.agency = Some(agency.clone());
    }
    tell(&mut user, vouched);
    user.groups.retain(|group| !manages(mapping, *group));
    join(directory, &mut user, vouched);
    if user == *known {
        return Ok(Arrival::Known(id));
    }
    Ok(Arrival::Changed(Box::new(user)))
}

fn newcomer(
    directory: &Directory,
    vouched: &Vouched,
    mapping: &Mapping,
    now: WallTime,
) -> Result<Arrival, ArrivalRefusal> {
    if !mapping.create {
        return Err(ArrivalRefusal::Unknown);
    }
    let login = vouched.login.as_deref().ok_or(ArrivalRefusal::NoLogin)?;
    let login = Login::chosen(login).map_err(ArrivalRefusal::Login)?;
    let seen = login.skeleton();
    let taken = |other: &User| other.login.skeleton() == seen;
    if directory.users.values().any(taken) {
        let login = login.as_str().to_owned();
        return Err(ArrivalRefusal::LoginTaken { login });
    }
    let display_name = vouched.display_name.clone();
    let display_name = display_name.or_else(|| login.as_str().parse().ok());
    let mut user = User {
        id: UserId::new(now),
        display_name: display_name.ok_or(ArrivalRefusal::NoLogin)?,
        login,
        arabic_name: None,
        email: None,
        employee_number: None,
        agency: vouched.agency.clone(),
        department: None,
        section: None,
        status: Status::Active,
        roles: Default::default(),
        groups: Default::default(),
        rules: Vec::new(),
        created_at: now,
        revision: 1,
    };
    tell(&mut user, vouched);
    join(directory, &mut user, vouched);
    Ok(Arrival::New(Box::new(user)))
}

/// What the issuer says; what it does not say stays.
fn tell(user: &mut User, vouched: &Vouched) {
    fn set<T: Clone>(field: &mut Option<T>, told: &Option<T>) {
        if told.is_some() {
            field.clone_from(told);
        }
    }
    if let Some(name) = &vouched.display_name {
        user.display_name.clone_from(name);
    }
    set(&mut user.arabic_name, &vouched.arabic_name);
    set(&mut user.email, &vouched.email);
    set(&mut user.employee_number, &vouched.employee_number);
    set(&mut user.department, &vouched.department);
    set(&mut user.section, &vouched.section);
}

/// Groups that are gone, or are for people of another agency, are not joined.
fn join(directory: &Directory, user: &mut User, vouched: &Vouched) {
    for id in &vouched.groups {
        let group = directory.groups.get(id);
        let open = group.is_some_and(|group| {
            group.agency.is_none() || group.agency.as_ref() == user.agency.as_ref()
        });
        if open {
            user.groups.insert(*id);
        }
    }
}

fn manages(mapping: &Mapping, group: shared::id::GroupId) -> bool {
    mapping.groups.values().any(|managed| *managed == group)
}

/// Whether nobody here has given them anything.
fn is_all_vouched(user: &User, mapping: &Mapping) -> bool {
    user.roles.is_empty()
        && user.rules.is_empty()
        && user.groups.iter().all(|group| manages(mapping, *group))
}
