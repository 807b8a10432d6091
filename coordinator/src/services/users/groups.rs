//! Groups, roles and agencies.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::id::GroupId;

use super::{UserError, Users, bounded, difference, sees};
use crate::domain::access::{Deed, Rule};
use crate::domain::agency::{Agency, AgencyCode};
use crate::domain::audit::What;
use crate::domain::directory::{Change, Directory};
use crate::domain::group::{Group, Role, RoleCode};
use crate::domain::text::Name;
use crate::domain::user::User;
use crate::services::access::{AccessError, AdminGrant};

/// What a group is, besides its members.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub name: Name,
    pub agency: Option<AgencyCode>,
    pub roles: BTreeSet<RoleCode>,
    pub rules: Vec<Rule>,
}

/// What a role is.
#[derive(Clone, Debug)]
pub struct NewRole {
    pub name: Name,
    pub rules: Vec<Rule>,
}

impl Users {
    /// Groups that the grant shows, each with the number of its members, by name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn groups(&self, grant: &AdminGrant) -> Result<Vec<(Group, usize)>, UserError> {
        grant.for_deed(Deed::ViewGroups)?;
        let directory = self.store.directory().await?;
        let groups = directory.groups.values();
        let mut groups: Vec<_> = groups
            .filter(|group| sees(grant, Deed::ViewGroups, group.agency.as_ref()))
            .map(|group| (group.clone(), members(&directory, group.id)))
            .collect();
        groups.sort_unstable_by(|(one, _), (other, _)| one.name.en.cmp(&other.name.en));
        Ok(groups)
    }

    /// A group with those of its members that the grant shows.
    ///
    /// # Errors
    /// The group does not exist for the actor.
    pub async fn group(
        &self,
        grant: &AdminGrant,
        id: GroupId,
    ) -> Result<(Group, usize, Vec<User>), UserError> {
        grant.for_deed(Deed::ViewGroups)?;
        let directory = self.store.directory().await?;
        let group = directory.groups.get(&id).cloned();
        let group = group.ok_or(AccessError::Hidden)?;
        self.seen(grant, group.agency.as_ref(), id)?;
        let number = members(&directory, id);
        let people = directory.users.into_values().filter(|user| {
            user.groups.contains(&id) && sees(grant, Deed::ViewUsers, user.agency.as_ref())
        });
        Ok((group, number, people.collect()))
    }

    /// # Errors
    /// The change is refused.
    pub async fn create_group(
        &self,
        grant: &AdminGrant,
        new: NewGroup,
    ) -> Result<Group, UserError> {
        grant.for_deed(Deed::ManageGroups)?;
        let group = group(GroupId::new(self.clock.wall()), 1, new)?;
        let change = Change::CreateGroup(group.clone());
        let details = group_facts(&group);
        self.make(grant, change, None, What::GroupCreated, group.id, details)
            .await?;
        Ok(group)
    }

    /// # Errors
    /// The change is refused.
    pub async fn replace_group(
        &self,
        grant: &AdminGrant,
        id: GroupId,
        revision: u64,
        new: NewGroup,
    ) -> Result<(Group, usize), UserError> {
        grant.for_deed(Deed::ManageGroups)?;
        let group = group(id, revision, new)?;
        let before = self.store.directory().await?.groups.remove(&id);
        let before = before.as_ref().map(group_facts).unwrap_or_default();
        let details = difference(before, group_facts(&group));
        let change = Change::ReplaceGroup(group);
        let mut after = self
            .make(grant, change, None, What::GroupChanged, id, details)
            .await?;
        let members = members(&after, id);
        let group = after.groups.remove(&id).ok_or(AccessError::Hidden)?;
        Ok((group, members))
    }

    /// # Errors
    /// The change is refused.
    pub async fn delete_group(&self, grant: &AdminGrant, id: GroupId) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageGroups)?;
        let group = self.store.directory().await?.groups.remove(&id);
        let details = group.as_ref().map(group_facts).unwrap_or_default();
        let change = Change::DeleteGroup(id);
        self.make(grant, change, None, What::GroupDeleted, id, details)
            .await?;
        Ok(())
    }

    /// By code. What a role may do is no secret among those who give roles.
    ///
    /// # Errors
    /// The store failed.
    pub async fn roles(&self, grant: &AdminGrant) -> Result<Vec<Role>, UserError> {
        grant.for_deed(Deed::ViewGroups)?;
        Ok(self.store.directory().await?.roles.into_values().collect())
    }

    /// # Errors
    /// The change is refused.
    pub async fn create_role(
        &self,
        grant: &AdminGrant,
        code: RoleCode,
        new: NewRole,
    ) -> Result<Role, UserError> {
        grant.for_deed(Deed::ManageGroups)?;
        let role = role(code, 1, new)?;
        let change = Change::CreateRole(role.clone());
        let (what, details) = (What::RoleCreated, role_facts(&role));
        self.make(grant, change, None, what, &role.code, details)
            .await?;
        Ok(role)
    }

    /// # Errors
    /// The change is refused.
    pub async fn replace_role(
        &self,
        grant: &AdminGrant,
        code: RoleCode,
        revision: u64,
        new: NewRole,
    ) -> Result<Role, UserError> {
        grant.for_deed(Deed::ManageGroups)?;
        let role = role(code.clone(), revision, new)?;
        let before = self.store.directory().await?.roles.remove(&code);
        let before = before.as_ref().map(role_facts).unwrap_or_default();
        let details = difference(before, role_facts(&role));
        let change = Change::ReplaceRole(role);
        let mut after = self
            .make(grant, change, None, What::RoleChanged, &code, details)
            .await?;
        Ok(after.roles.remove(&code).ok_or(AccessError::Hidden)?)
    }

    /// # Errors
    /// The change is refused.
    pub async fn delete_role(&self, grant: &AdminGrant, code: RoleCode) -> Result<(), UserError> {
        grant.for_deed(Deed::ManageGroups)?;
        let change = Change::DeleteRole(code.clone());
        self.make(grant, change, None, What::RoleDeleted, &code, Value::Null)
            .await?;
        Ok(())
    }

    /// Those that the grant shows, by code.
    ///
    /// # Errors
    /// The store failed.
    pub async fn agencies(&self, grant: &AdminGrant) -> Result<Vec<Agency>, UserError> {
        grant.for_deed(Deed::ViewAgencies)?;
        let mut agencies = self.store.directory().await?.agencies;
        agencies.retain(|code, _| sees(grant, Deed::ViewAgencies, Some(code)));
        Ok(agencies.into_values().collect())
    }

    /// # Errors
    /// The change is refused.
    pub async fn create_agency(
        &self,
        grant: &AdminGrant,
        code: AgencyCode,
        name: Name,
    ) -> Result<Agency, UserError> {
        grant.for_deed(Deed::ManageAgencies)?;
        let agency = Agency {
            code,
            name,
            revision: 1,
        };
        let change = Change::CreateAgency(agency.clone());
        let details = json!({ "name": agency.name });
        let what = What::AgencyCreated;
        self.make(grant, change, None, what, &agency.code, details)
            .await?;
        Ok(agency)
    }

    /// # Errors
    /// The change is refused.
    pub async fn replace_agency(
        &self,
        grant: &AdminGrant,
        agency: Agency,
    ) -> Result<Agency, UserError> {
        grant.for_deed(Deed::ManageAgencies)?;
        let code = agency.code.clone();
        let details = json!({ "name": agency.name });
        let change = Change::ReplaceAgency(agency);
        let mut after = self
            .make(grant, change, None, What::AgencyChanged, &code, details)
            .await?;
        Ok(after.agencies.remove(&code).ok_or(AccessError::Hidden)?)
    }
}

fn members(directory: &Directory, id: GroupId) -> usize {
    let users = directory.users.values();
    users.filter(|user| user.groups.contains(&id)).count()
}

fn group(id: GroupId, revision: u64, new: NewGroup) -> Result<Group, UserError> {
    bounded("roles", new.roles.len(), User::MAX_MEMBERSHIPS)?;
    bounded("permissions", new.rules.len(), User::MAX_RULES)?;
    Ok(Group {
        id,
        name: new.name,
        agency: new.agency,
        roles: new.roles,
        rules: new.rules,
        revision,
    })
}

fn role(code: RoleCode, revision: u64, new: NewRole) -> Result<Role, UserError> {
    bounded("permissions", new.rules.len(), User::MAX_RULES)?;
    Ok(Role {
        code,
        name: new.name,
        rules: new.rules,
        built_in: false,
        revision,
    })
}

fn group_facts(group: &Group) -> Value {
    json!({
        "name": group.name,
        "agency": group.agency,
        "roles": group.roles,
        "permissions": group.rules,
    })
}

fn role_facts(role: &Role) -> Value {
    json!({ "name": role.name, "permissions": role.rules })
}
