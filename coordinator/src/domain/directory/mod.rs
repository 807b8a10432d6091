//! Everybody and what they may do, as of one instant, and which changes of it are allowed.
//!
//! Two rules hold after every change: nobody has been given more than whoever gave it has, and
//! there is still somebody who may do everything.

mod apply;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use shared::id::{GroupId, UserId};

use super::access::{Decision, Deed, Object, Permission, Permissions, Rule, decide};
use super::agency::{Agency, AgencyCode};
use super::group::{Group, Role, RoleCode};
use super::user::{Status, User};

/// What stands in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    pub users: BTreeMap<UserId, User>,
    pub groups: BTreeMap<GroupId, Group>,
    pub roles: BTreeMap<RoleCode, Role>,
    pub agencies: BTreeMap<AgencyCode, Agency>,
    /// Counts every change.
    pub revision: u64,
}

/// One change. What is replaced carries the revision that its author has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    CreateUser(Box<User>),
    ReplaceUser(Box<User>),
    /// What an issuer outside says of somebody: who they are, and their groups. Roles, rules and
    /// status are given here alone.
    TellUser(Box<User>),
    SetStatus(UserId, Status),
    /// Sets a new password, second factor or other credential of somebody.
    ResetCredentials(UserId),
    AddMember(UserId, GroupId),
    RemoveMember(UserId, GroupId),
    CreateGroup(Group),
    ReplaceGroup(Group),
    DeleteGroup(GroupId),
    CreateRole(Role),
    ReplaceRole(Role),
    DeleteRole(RoleCode),
    CreateAgency(Agency),
    ReplaceAgency(Agency),
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Answer as if the thing did not exist.
    #[error("there is no such thing for this actor")]
    Hidden,
    #[error("the actor may not do this")]
    Forbidden,
    #[error("nobody gives or takes more than they have: this takes `{permission}`")]
    MoreThanOwn { permission: Permission },
    #[error("there is no {what}")]
    Unknown { what: String },
    #[error("{what} is taken")]
    Taken { what: String },
    #[error("it was changed since it was read")]
    Stale,
    #[error("somebody who may do everything must remain")]
    LastAdministrator,
    #[error("nobody locks out themselves")]
    Yourself,
    #[error("what comes with the product cannot be changed")]
    BuiltIn,
    #[error("{what} is still in use")]
    InUse { what: String },
    #[error("members of a group of {agency} belong to {agency}")]
    OtherAgency { agency: AgencyCode },
}

/// Whoever wants a change.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// `None` for the command line of the host.
    pub user: Option<UserId>,
    pub permissions: &'a Permissions,
}

impl Directory {
    /// All rules that somebody has by roles, groups and their own.
    pub fn rules<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Rule> {
        let groups = user.groups.iter().filter_map(|id| self.groups.get(id));
        let roles = user.roles.iter().filter_map(|code| self.roles.get(code));
        roles
            .flat_map(|role| &role.rules)
            .chain(groups.flat_map(|group| self.group_rules(group)))
            .chain(&user.rules)
    }

    pub fn permissions(&self, user: &User) -> Permissions {
        Permissions::new(self.rules(user).cloned(), user.agency.as_ref())
    }

    /// The directory after `change`.
    ///
    /// # Errors
    /// The author may not make it, or it makes no sense.
    pub fn after(&self, author: Author<'_>, change: &Change) -> Result<Self, Refusal> {
        self.allow(author, change)?;
        let mut next = self.clone();
        next.apply(change)?;
        next.revision += 1;
        if self.has_administrator() && !next.has_administrator() {
            return Err(Refusal::LastAdministrator);
        }
        // What was given is judged by what it comes to, roles and groups included; a denial that is
        // taken back gives as well.
        if let Some(user) = next.touched(change) {
            cover(author, next.rules(user), user.agency.as_ref())?;
        }
        let left = next.denials(change);
        for permission in self.denials(change).difference(&left) {
            cover(author, [&Rule::Allow(permission.clone())], None)?;
        }
        Ok(next)
    }

    /// The agency that a change concerns, as it stands here.
    pub fn agency_of<'a>(&'a self, change: &'a Change) -> Option<&'a AgencyCode> {
        match change {
            Change::CreateUser(user) => user.agency.as_ref(),
            Change::SetStatus(id, _)
            | Change::ResetCredentials(id)
            | Change::AddMember(id, _)
            | Change::RemoveMember(id, _) => self.users.get(id)?.agency.as_ref(),
            Change::ReplaceUser(user) | Change::TellUser(user) => {
                self.users.get(&user.id)?.agency.as_ref()
            }
            Change::CreateGroup(Group { id, .. })
            | Change::ReplaceGroup(Group { id, .. })
            | Change::DeleteGroup(id) => self.groups.get(id)?.agency.as_ref(),
            Change::CreateAgency(agency) | Change::ReplaceAgency(agency) => Some(&agency.code),
            Change::CreateRole(_) | Change::ReplaceRole(_) | Change::DeleteRole(_) => None,
        }
    }

    /// Whether somebody active may do everything.
    fn has_administrator(&self) -> bool {
        self.users
            .values()
            .filter(|user| user.status == Status::Active)
            .any(|user| self.permissions(user).cover(&Permission::EVERYTHING))
    }

    /// The person whose permissions a change is about.
    fn touched(&self, change: &Change) -> Option<&User> {
        match change {
            Change::CreateUser(user) | Change::ReplaceUser(user) | Change::TellUser(user) => {
                self.users.get(&user.id)
            }
            Change::AddMember(user, _) => self.users.get(user),
            _ => None,
        }
    }

    /// What the thing that a change is about denies.
    fn denials(&self, change: &Change) -> BTreeSet<Permission> {
        let mut agency = None;
        let rules: Vec<&Rule> = match change {
            Change::ReplaceUser(user) | Change::TellUser(user) => {
                self.rules_of(user.id, &mut agency)
            }
            Change::RemoveMember(id, _) => self.rules_of(*id, &mut agency),
            Change::ReplaceGroup(Group { id, .. }) | Change::DeleteGroup(id) => {
                let group = self.groups.get(id).into_iter();
                group.flat_map(|group| self.group_rules(group)).collect()
            }
            Change::ReplaceRole(Role { code, .. }) | Change::DeleteRole(code) => {
                let role = self.roles.get(code).into_iter();
                role.flat_map(|role| &role.rules).collect()
            }
            _ => Vec::new(),
        };
        rules
            .into_iter()
            .filter_map(|rule| match rule {
                Rule::Deny(permission) => Some(meant(permission, agency)),
                Rule::Allow(_) => None,
            })
            .flatten()
            .collect()
    }

    fn rules_of<'a>(&'a self, id: UserId, agency: &mut Option<&'a AgencyCode>) -> Vec<&'a Rule> {
        let user = self.users.get(&id);
        *agency = user.and_then(|user| user.agency.as_ref());
        user.into_iter().flat_map(|user| self.rules(user)).collect()
    }

    fn allow(&self, author: Author<'_>, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::CreateUser(user) => {
                permit(author, Deed::ManageUsers, user.agency.as_ref(), true)
            }
            Change::ReplaceUser(user) | Change::TellUser(user) => {
                self.allow_user(author, user.id)?;
                permit(author, Deed::ManageUsers, user.agency.as_ref(), true)
            }
            Change::SetStatus(id, status) => {
                self.allow_user(author, *id)?;
                if *status == Status::Disabled && author.user == Some(*id) {
                    return Err(Refusal::Yourself);
                }
                Ok(())
            }
            Change::ResetCredentials(id)
            | Change::AddMember(id, _)
            | Change::RemoveMember(id, _) => self.allow_user(author, *id),
            Change::CreateGroup(group) => self.allow_group(author, group, true),
            Change::ReplaceGroup(group) => {
                self.allow_group(author, self.group(group.id)?, false)?;
                self.allow_group(author, group, true)
            }
            Change::DeleteGroup(id) => self.allow_group(author, self.group(*id)?, false),
            Change::CreateRole(role) => allow_role(author, role, true),
            Change::ReplaceRole(role) => {
                allow_role(author, self.role(&role.code)?, false)?;
                allow_role(author, role, true)
            }
            Change::DeleteRole(code) => allow_role(author, self.role(code)?, false),
            Change::CreateAgency(_) => permit(author, Deed::ManageAgencies, None, true),
            Change::ReplaceAgency(agency) => {
                permit(author, Deed::ManageAgencies, Some(&agency.code), false)
            }
        }
    }

    /// Whoever manages somebody may do all that this somebody may, or resetting a password would
    /// be a way to more.
    fn allow_user(&self, author: Author<'_>, id: UserId) -> Result<(), Refusal> {
        let user = self.users.get(&id).ok_or(Refusal::Hidden)?;
        permit(author, Deed::ManageUsers, user.agency.as_ref(), false)?;
        cover(author, self.rules(user), user.agency.as_ref())
    }

    fn allow_group(&self, author: Author<'_>, group: &Group, new: bool) -> Result<(), Refusal> {
        permit(author, Deed::ManageGroups, group.agency.as_ref(), new)?;
        cover(author, self.group_rules(group), group.agency.as_ref())
    }

    fn group_rules<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Rule> {
        let roles = group.roles.iter().filter_map(|code| self.roles.get(code));
        roles.flat_map(|role| &role.rules).chain(&group.rules)
    }

    fn group(&self, id: GroupId) -> Result<&Group, Refusal> {
        self.groups.get(&id).ok_or(Refusal::Hidden)
    }

    fn role(&self, code: &RoleCode) -> Result<&Role, Refusal> {
        self.roles.get(code).ok_or(Refusal::Hidden)
    }
}

fn allow_role(author: Author<'_>, role: &Role, new: bool) -> Result<(), Refusal> {
    permit(author, Deed::ManageGroups, None, new)?;
    cover(author, &role.rules, None)
}

/// A new thing cannot be hidden: whoever may not make it is told so.
fn permit(
    author: Author<'_>,
    deed: Deed,
    agency: Option<&AgencyCode>,
    new: bool,
) -> Result<(), Refusal> {
    match decide(author.permissions, deed, Object::Of(agency)) {
        Decision::Allowed => Ok(()),
        Decision::Hidden if !new => Err(Refusal::Hidden),
        Decision::Hidden | Decision::Forbidden => Err(Refusal::Forbidden),
    }
}

/// Whether the author may do everything that `rules` allow to somebody of `agency`. Denials may be
/// given and taken freely within what one has.
fn cover<'a>(
    author: Author<'_>,
    rules: impl IntoIterator<Item = &'a Rule>,
    agency: Option<&AgencyCode>,
) -> Result<(), Refusal> {
    for rule in rules {
        let Rule::Allow(permission) = rule else {
            continue;
        };
        let meant = meant(permission, agency);
        if let Some(permission) = meant.filter(|meant| !author.permissions.cover(meant)) {
            return Err(Refusal::MoreThanOwn { permission });
        }
    }
    Ok(())
}

/// `own` of somebody of an agency; where the agency is not known, it may be any.
fn meant(permission: &Permission, agency: Option<&AgencyCode>) -> Option<Permission> {
    match agency {
        Some(_) => permission.clone().of(agency),
        None => Some(permission.clone()),
    }
}
