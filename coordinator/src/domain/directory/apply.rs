//! What a change does, and what it must find.

use super::{Change, Directory, Refusal};
use crate::domain::agency::{Agency, AgencyCode};
use crate::domain::group::{Group, Role, RoleCode};
use crate::domain::user::User;

impl Directory {
    pub(super) fn apply(&mut self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::CreateUser(user) => self.create_user(user),
            Change::ReplaceUser(user) => self.replace_user(user),
            Change::TellUser(user) => self.tell_user(user),
            Change::SetStatus(id, status) => {
                let user = self.users.get_mut(id).ok_or(Refusal::Hidden)?;
                user.status = *status;
                user.revision += 1;
                Ok(())
            }
            Change::ResetCredentials(id) => self.users.get(id).ok_or(Refusal::Hidden).map(|_| ()),
            Change::AddMember(user, group) => {
                let id = *group;
                if !self.groups.contains_key(&id) {
                    return Err(unknown("group", id));
                }
                let user = self.users.get_mut(user).ok_or(Refusal::Hidden)?;
                user.groups.insert(id);
                user.revision += 1;
                let user = user.clone();
                self.check_user(&user)
            }
            Change::RemoveMember(user, group) => {
                let user = self.users.get_mut(user).ok_or(Refusal::Hidden)?;
                if !user.groups.remove(group) {
                    return Err(Refusal::Hidden);
                }
                user.revision += 1;
                Ok(())
            }
            Change::CreateGroup(group) => self.create_group(group),
            Change::ReplaceGroup(group) => self.replace_group(group),
            Change::DeleteGroup(id) => {
                self.groups.remove(id).ok_or(Refusal::Hidden)?;
                for user in self.users.values_mut() {
                    user.groups.remove(id);
                }
                Ok(())
            }
            Change::CreateRole(role) => self.create_role(role),
            Change::ReplaceRole(role) => self.replace_role(role),
            Change::DeleteRole(code) => self.delete_role(code),
            Change::CreateAgency(agency) => {
                if self.agencies.contains_key(&agency.code) {
                    return Err(taken("agency", &agency.code));
                }
                self.agencies.insert(agency.code.clone(), agency.clone());
                Ok(())
            }
            Change::ReplaceAgency(agency) => self.replace_agency(agency),
        }
    }

    fn create_user(&mut self, user: &User) -> Result<(), Refusal> {
        if self.users.contains_key(&user.id) {
            return Err(taken("user", user.id));
        }
        self.check_user(user)?;
        self.users.insert(user.id, user.clone());
        Ok(())
    }

    /// Groups and status are changed in their own ways; the rest is what was sent.
    fn replace_user(&mut self, user: &User) -> Result<(), Refusal> {
        let known = self.users.get(&user.id).ok_or(Refusal::Hidden)?;
        if known.revision != user.revision {
            return Err(Refusal::Stale);
        }
        let replaced = User {
            groups: known.groups.clone(),
            status: known.status,
            created_at: known.created_at,
            revision: known.revision + 1,
            ..user.clone()
        };
        self.check_user(&replaced)?;
        self.users.insert(replaced.id, replaced);
        Ok(())
    }

    fn tell_user(&mut self, user: &User) -> Result<(), Refusal> {
        let known = self.users.get(&user.id).ok_or(Refusal::Hidden)?;
        if known.revision != user.revision {
            return Err(Refusal::Stale);
        }
        let told = User {
            login: known.login.clone(),
            status: known.status,
            roles: known.roles.clone(),
            rules: known.rules.clone(),
            created_at: known.created_at,
            revision: known.revision + 1,
            ..user.clone()
        };
        self.check_user(&told)?;
        self.users.insert(told.id, told);
        Ok(())
    }

    /// Logins that look alike are one login.
    fn check_user(&self, user: &User) -> Result<(), Refusal> {
        let others = || self.users.values().filter(|other| other.id != user.id);
        let seen = user.login.skeleton();
        if others().any(|other| other.login.skeleton() == seen) {
            return Err(taken("login", user.login.as_str()));
        }
        let number = user.employee_number.as_ref();
        if let Some(number) = number
            && others().any(|other| other.employee_number.as_ref() == Some(number))
        {
            return Err(taken("employee number", number));
        }
        self.check_agency(user.agency.as_ref())?;
        self.check_roles(&user.roles)?;
        for id in &user.groups {
            let group = self.groups.get(id).ok_or_else(|| unknown("group", id))?;
            if let Some(agency) = &group.agency
                && user.agency.as_ref() != Some(agency)
            {
                return Err(Refusal::OtherAgency {
                    agency: agency.clone(),
                });
            }
        }
        Ok(())
    }

    /// What is there is not replaced in passing: whatever it denied would be given.
    fn create_group(&mut self, group: &Group) -> Result<(), Refusal> {
        if self.groups.contains_key(&group.id) {
            return Err(taken("group", group.id));
        }
        self.check_group(group)?;
        self.groups.insert(group.id, group.clone());
        Ok(())
    }

    fn replace_group(&mut self, group: &Group) -> Result<(), Refusal> {
        let known = self.groups.get(&group.id).ok_or(Refusal::Hidden)?;
        if known.revision != group.revision {
            return Err(Refusal::Stale);
        }
        let replaced = Group {
            revision: known.revision + 1,
            ..group.clone()
        };
        self.check_group(&replaced)?;
        if let Some(agency) = &replaced.agency
            && self
                .users
                .values()
                .any(|user| user.groups.contains(&group.id) && user.agency.as_ref() != Some(agency))
        {
            return Err(Refusal::OtherAgency {
                agency: agency.clone(),
            });
        }
        self.groups.insert(replaced.id, replaced);
        Ok(())
    }

    fn check_group(&self, group: &Group) -> Result<(), Refusal> {
        let named_alike = |other: &&Group| {
            other.id != group.id && other.agency == group.agency && other.name.en == group.name.en
        };
        if self.groups.values().find(named_alike).is_some() {
            return Err(taken("name", &group.name.en));
        }
        self.check_agency(group.agency.as_ref())?;
        self.check_roles(&group.roles)
    }

    fn create_role(&mut self, role: &Role) -> Result<(), Refusal> {
        if self.roles.contains_key(&role.code) {
            return Err(taken("role", &role.code));
        }
        self.roles.insert(role.code.clone(), role.clone());
        Ok(())
    }

    fn replace_role(&mut self, role: &Role) -> Result<(), Refusal> {
        let known = self.roles.get(&role.code).ok_or(Refusal::Hidden)?;
        if known.built_in {
            return Err(Refusal::BuiltIn);
        }
        if known.revision != role.revision {
            return Err(Refusal::Stale);
        }
        let replaced = Role {
            revision: known.revision + 1,
            ..role.clone()
        };
        self.roles.insert(role.code.clone(), replaced);
        Ok(())
    }

    fn delete_role(&mut self, code: &RoleCode) -> Result<(), Refusal> {
        if self.roles.get(code).ok_or(Refusal::Hidden)?.built_in {
            return Err(Refusal::BuiltIn);
        }
        let used = self.users.values().any(|user| user.roles.contains(code))
            || self.groups.values().any(|group| group.roles.contains(code));
        if used {
            return Err(Refusal::InUse {
                what: format!("role `{code}`"),
            });
        }
        self.roles.remove(code);
        Ok(())
    }

    fn replace_agency(&mut self, agency: &Agency) -> Result<(), Refusal> {
        let known = self.agencies.get_mut(&agency.code).ok_or(Refusal::Hidden)?;
        if known.revision != agency.revision {
            return Err(Refusal::Stale);
        }
        *known = Agency {
            revision: known.revision + 1,
            ..agency.clone()
        };
        Ok(())
    }

    fn check_agency(&self, agency: Option<&AgencyCode>) -> Result<(), Refusal> {
        match agency {
            Some(code) if !self.agencies.contains_key(code) => Err(unknown("agency", code)),
            _ => Ok(()),
        }
    }

    fn check_roles<'a>(
        &self,
        codes: impl IntoIterator<Item = &'a RoleCode>,
    ) -> Result<(), Refusal> {
        codes
            .into_iter()
            .find(|code| !self.roles.contains_key(*code))
            .map_or(Ok(()), |code| Err(unknown("role", code)))
    }
}

fn unknown(what: &str, which: impl std::fmt::Display) -> Refusal {
    Refusal::Unknown {
        what: format!("{what} `{which}`"),
    }
}

fn taken(what: &str, which: impl std::fmt::Display) -> Refusal {
    Refusal::Taken {
        what: format!("{what} `{which}`"),
    }
}
